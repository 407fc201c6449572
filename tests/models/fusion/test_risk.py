"""The four paths: CTG only, ultrasound only, both, neither; and every state with its reason."""

import json

import numpy as np
import pytest
from scipy.special import logit

from models.bundle import Bundle
from models.ctg.analysis import analyse
from models.ctg.features import FEATURES
from models.ctg.synthetic import trace
from models.errors import InputError, RangeError
from models.fusion.parts import CtgInput, ScanInput
from models.fusion.risk import CANNOT_ASSESS, RiskAssessment, assess
from models.ultrasound.ellipse import Ellipse
from models.ultrasound.image import UltrasoundImage
from models.ultrasound.synthetic import phantom

HEALTHY = {
    "baseline_bpm": 133, "accelerations_per_s": 0.006, "fetal_movements_per_s": 0, "contractions_per_s": 0.004,
    "light_decelerations_per_s": 0, "severe_decelerations_per_s": 0, "prolonged_decelerations_per_s": 0,
    "abnormal_stv_percent": 30, "mean_stv_bpm": 1.8, "abnormal_ltv_percent": 0, "mean_ltv_bpm": 10,
    "histogram_width_bpm": 90, "histogram_min_bpm": 80, "histogram_max_bpm": 170, "histogram_peaks": 5,
    "histogram_zeros": 0, "histogram_mode_bpm": 140, "histogram_mean_bpm": 138, "histogram_median_bpm": 140,
    "histogram_variance_bpm2": 12, "histogram_tendency": 0,
}  # fmt: skip
SMALL = ScanInput(typed_head_circumference_mm=235.0, age_days=196, age_source="test")
MEDIAN = ScanInput(typed_head_circumference_mm=260.4, age_days=196, age_source="test")


def check(made: RiskAssessment) -> RiskAssessment:
    """What holds for every assessment."""
    json.dumps(made.as_dict())
    if made.score is None:
        assert made.state == CANNOT_ASSESS
        assert made.missing
    else:
        assert made.interval is not None
        assert made.interval[0] <= made.score <= made.interval[1]
    for part in (made.distress, made.growth):
        assert (part.probability is None) == (part.refusal is not None)
    return made


def test_ctg_only(bundle: Bundle) -> None:
    made = check(assess(bundle, CtgInput(features=dict(HEALTHY)), None))
    assert made.score == pytest.approx(100 * (made.distress.probability or 0))
    assert made.growth.refusal == "none was given"
    assert made.missing == ["Ultrasound: none was given"]


def test_ultrasound_only(bundle: Bundle) -> None:
    median, small = check(assess(bundle, None, MEDIAN)), check(assess(bundle, None, SMALL))
    assert median.score == pytest.approx(100 * bundle.fusion.prior, rel=0.1)
    assert median.state == "low"
    assert small.state in {"raised", "high"}
    assert small.growth.probability is not None
    assert small.growth.probability > 0.5
    assert any("CTG" in line for line in small.missing)


def test_both(bundle: Bundle) -> None:
    alone = check(assess(bundle, CtgInput(features=dict(HEALTHY)), None))
    both = check(assess(bundle, CtgInput(features=dict(HEALTHY)), SMALL))
    assert not both.missing
    assert both.score is not None
    assert both.distress == alone.distress
    assert both.score > (alone.score or 0)
    growth = next(reason for reason in both.reasons if "head circumference" in reason.text)
    parts = float(logit(both.distress.probability)) + growth.log_odds
    assert float(logit(both.score / 100)) == pytest.approx(parts, abs=1e-6)


def test_neither(bundle: Bundle) -> None:
    made = check(assess(bundle, None, None))
    assert made.state == CANNOT_ASSESS
    assert len(made.missing) == 2


def test_a_raw_trace_is_labelled_and_wider(bundle: Bundle) -> None:
    analysis = analyse(trace(minutes=20, seed=1).recording)
    calm = check(assess(bundle, CtgInput(analysis=analysis), None))
    labour = check(assess(bundle, CtgInput(analysis=analysis, stage="labour"), None))
    assert any("not validated" in line for line in calm.warnings)
    assert any("the score does not use them" in line for line in calm.warnings)
    assert any("labour" in line for line in labour.warnings)
    assert labour.score == calm.score
    assert calm.interval is not None
    assert labour.interval is not None
    assert labour.interval[1] - labour.interval[0] >= calm.interval[1] - calm.interval[0]


def test_outside_the_training_range_is_said(bundle: Bundle) -> None:
    made = check(assess(bundle, CtgInput(features=HEALTHY | {"baseline_bpm": 85}), None))
    assert any("Outside what the model was trained on" in line for line in made.warnings)


def test_a_table_with_gaps_uses_what_a_trace_gives_or_refuses(bundle: Bundle) -> None:
    without = {name: value for name, value in HEALTHY.items() if name != "mean_stv_bpm"}
    made = check(assess(bundle, CtgInput(features=without), None))
    assert made.distress.detail["view"] == "trace"
    assert any("mean short-term variability" in line for line in made.warnings)
    lacking = {name: value for name, value in HEALTHY.items() if name != "baseline_bpm"}
    assert "baseline" in (assess(bundle, CtgInput(features=lacking), None).distress.refusal or "")


def test_a_bad_signal_is_a_state(bundle: Bundle) -> None:
    analysis = analyse(trace(minutes=20, loss=0.7, seed=2).recording)
    made = check(assess(bundle, CtgInput(analysis=analysis), MEDIAN))
    assert "signal loss" in (made.distress.refusal or "")
    assert made.score is not None


@pytest.mark.parametrize(
    ("scan", "words"),
    [
        (ScanInput(typed_head_circumference_mm=260), "no gestational age"),
        (ScanInput(typed_head_circumference_mm=80, age_days=90), "14\\+0 to 40\\+0"),
    ],
)
def test_growth_needs_an_age_the_standard_covers(bundle: Bundle, scan: ScanInput, words: str) -> None:
    made = check(assess(bundle, None, scan))
    assert made.state == CANNOT_ASSESS
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(made.growth.refusal)


def test_an_image_without_a_scale_is_not_measured(bundle: Bundle) -> None:
    pixels = phantom(Ellipse(400, 270, 230, 180, 0.1), seed=4)
    head = bundle.segmenter.head(pixels)
    made = check(assess(bundle, None, ScanInput(UltrasoundImage(pixels), head, age_days=196)))
    assert made.growth.refusal in {"the scale of the image is not known; give the pixel size in mm", head.refusal}


def test_a_typed_circumference_overrides_and_both_are_kept(bundle: Bundle) -> None:
    pixels = phantom(Ellipse(400, 270, 230, 180, 0.1), seed=4)
    head = bundle.segmenter.head(pixels)
    made = check(assess(bundle, None, ScanInput(UltrasoundImage(pixels, 0.18), head, 250.0, 196, "test")))
    assert made.growth.detail["head_circumference_mm"] == 250.0
    assert ("measurement" in made.growth.detail) == (head.refusal is None)


def test_impossible_values_are_errors(bundle: Bundle) -> None:
    with pytest.raises(RangeError):
        assess(bundle, None, ScanInput(typed_head_circumference_mm=900, age_days=196))
    with pytest.raises(InputError, match="0 to 44"):
        assess(bundle, None, ScanInput(typed_head_circumference_mm=250, age_days=420))


def test_contributions_cover_every_given_feature(bundle: Bundle) -> None:
    made = assess(bundle, CtgInput(features=dict(HEALTHY)), None)
    contributions = made.distress.detail["contributions"]
    assert set(contributions) == {feature.name for feature in FEATURES}
    assert np.isfinite(list(contributions.values())).all()
