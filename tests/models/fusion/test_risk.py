"""The four paths: CTG only, ultrasound only, both, neither; and every state with its reason."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import logit

from models.bundle import Bundle
from models.ctg.acidaemia import MILD, SEVERE
from models.ctg.analysis import analyse
from models.ctg.features import DESIGN_NAMES
from models.ctg.guidelines import Statements
from models.ctg.reading import read
from models.ctg.trace_features import TRACE_FEATURES, trace_features
from models.errors import InputError, RangeError
from models.fusion.circumstances import Circumstances
from models.fusion.distress import PATTERN_EVENT
from models.fusion.inputs import CtgInput, Outline, ScanImage, ScanInput
from models.fusion.risk import assess
from models.fusion.state import CANNOT_ASSESS, HIGH, LOW, RAISED, UNDECIDED
from models.growth.assessment import Age
from models.growth.dopplers import Dopplers
from models.growth.measures import AC, FL, HC
from models.synthetic.beats import beats
from models.synthetic.heads import phantom
from models.synthetic.scenes import Scene
from models.synthetic.traces import trace
from models.ultrasound.biometry import HeadEllipse
from models.ultrasound.ellipse import Ellipse
from models.ultrasound.image import UltrasoundImage
from tests.examples import HEALTHY, LABOUR, check

AGE = Age(196, "test")
SMALL = ScanInput(typed={HC: 235.0}, age=AGE)
MEDIAN = ScanInput(typed={HC: 260.4}, age=AGE)


def test_ctg_only(bundle: Bundle) -> None:
    assessment = check(assess(bundle, CtgInput(features=dict(HEALTHY)), None))
    assert assessment.distress.probability is not None
    assert assessment.score == pytest.approx(100 * assessment.distress.probability)
    assert assessment.growth.refusal == "none was given"
    assert assessment.missing == ["Ultrasound: none was given"]


def test_ultrasound_only(bundle: Bundle) -> None:
    median, small = check(assess(bundle, None, MEDIAN)), check(assess(bundle, None, SMALL))
    for alone in (median, small):
        assert (alone.state, alone.state_basis, alone.score) == (CANNOT_ASSESS, "no CTG", None)
        assert alone.state_reasons == ["no CTG was given"]
        assert "no score" in alone.meaning
    assert small.growth.probability is not None
    assert small.growth.probability > 0.5
    assert any("CTG" in line for line in small.missing)


def test_both(bundle: Bundle) -> None:
    alone = check(assess(bundle, CtgInput(features=dict(HEALTHY)), None))
    both = check(assess(bundle, CtgInput(features=dict(HEALTHY)), SMALL))
    assert not both.missing
    assert both.score is not None
    assert both.distress == alone.distress
    assert alone.score is not None
    assert both.score > alone.score
    growth = next(reason for reason in both.reasons if "head circumference" in reason.text)
    parts = float(logit(both.distress.probability)) + growth.log_odds
    assert float(logit(both.score / 100)) == pytest.approx(parts, abs=1e-6)
    assert both.start is not None
    assert float(logit(both.score / 100)) == pytest.approx(
        both.start.log_odds + sum(reason.log_odds for reason in both.reasons), abs=1e-9
    )


def test_neither(bundle: Bundle) -> None:
    assessment = check(assess(bundle, None, None))
    assert assessment.state == CANNOT_ASSESS
    assert len(assessment.missing) == 2


def test_an_antepartum_trace_goes_to_the_pattern_model_and_is_labelled(bundle: Bundle) -> None:
    analysis = analyse(trace(minutes=30, seed=1).recording)
    assessment = check(assess(bundle, CtgInput(analysis=analysis, stage="antepartum"), None))
    assert assessment.distress.event == PATTERN_EVENT
    assert assessment.distress.detail["model"] == "pattern"
    assert any("not validated" in line for line in assessment.remarks)
    assert any("the score does not use them" in line for line in assessment.remarks)
    assert "lead_time" not in assessment.distress.detail


def test_a_labour_trace_goes_to_the_acidaemia_model(bundle: Bundle) -> None:
    assessment = check(assess(bundle, CtgInput(analysis=analyse(LABOUR), stage="labour"), None))
    detail = assessment.distress.detail
    assert assessment.distress.event == MILD.event
    assert MILD.event in assessment.meaning
    assert detail["model"] == "acidaemia"
    assert detail["probabilities"][SEVERE.name] <= detail["probabilities"][MILD.name] == assessment.distress.probability
    assert bundle.acidaemia is not None
    assert detail["cuts"] == list(bundle.acidaemia.thresholds[MILD.name])
    assert not any("pattern model" in line for line in assessment.remarks)
    assert any("CTU-UHB" in line for line in assessment.remarks)
    assert {reason.text for reason in assessment.reasons} == {feature.group for feature in TRACE_FEATURES}


def test_contributions_of_the_outcome_add_up(bundle: Bundle) -> None:
    assessment = assess(bundle, CtgInput(analysis=analyse(LABOUR), stage="labour"), None)
    assert bundle.acidaemia is not None
    _, base = bundle.acidaemia.models[MILD.name].contributions(trace_features(analyse(LABOUR))[None, :])
    total = sum(assessment.distress.detail["contributions"].values()) + float(base[0])
    assert float(logit(assessment.distress.probability)) == pytest.approx(total, abs=1e-4)


def test_an_unknown_stage_is_wider_than_labour(bundle: Bundle) -> None:
    analysis = analyse(LABOUR)
    labour = check(assess(bundle, CtgInput(analysis=analysis, stage="labour"), None))
    unknown = check(assess(bundle, CtgInput(analysis=analysis, stage="unknown"), None))
    assert unknown.score == labour.score
    assert labour.interval is not None
    assert unknown.interval is not None
    assert unknown.interval[1] - unknown.interval[0] >= labour.interval[1] - labour.interval[0]
    assert any("stage is not known" in line for line in unknown.warnings)


def test_a_short_trace_is_left_to_the_pattern_model(bundle: Bundle) -> None:
    short = analyse(LABOUR.part(0, 19 * 60))
    assessment = check(assess(bundle, CtgInput(analysis=short, stage="labour"), None))
    assert assessment.distress.event == PATTERN_EVENT
    assert any("labour" in line for line in assessment.remarks)


def test_the_lead_time_curve_is_the_shortened_traces_own_answer(bundle: Bundle) -> None:
    assessment = assess(bundle, CtgInput(analysis=analyse(LABOUR), stage="labour"), None)
    curve = {point["hidden_min"]: point for point in assessment.distress.detail["lead_time"]}
    assert list(curve) == [0, 15, 30, 45, 60]
    assert curve[0]["probability"] == assessment.distress.probability
    earlier = assess(bundle, CtgInput(analysis=analyse(LABOUR.part(0, 40 * 60)), stage="labour"), None)
    assert curve[30]["probability"] == pytest.approx(earlier.distress.probability, rel=1e-3)
    assert "10 min of trace are left" in curve[60]["refusal"]


def test_without_the_acidaemia_files_the_bundle_loads_and_works(bundle: Bundle, tmp_path: Path) -> None:
    for name in bundle.present_files:
        if not name.startswith("acidaemia"):
            (tmp_path / name).write_bytes((bundle.folder / name).read_bytes())
    (tmp_path / "manifest.json").write_bytes((bundle.folder / "manifest.json").read_bytes())
    without = Bundle(tmp_path).warm()
    assert without.acidaemia is None
    assert without.identifier == bundle.identifier
    assessment = check(assess(without, CtgInput(analysis=analyse(LABOUR), stage="labour"), SMALL))
    assert assessment.distress.event == PATTERN_EVENT
    assert assessment.score is not None
    assert check(assess(without, None, SMALL)).distress.event == PATTERN_EVENT


def test_a_pathological_guideline_is_high_whatever_the_score_says(bundle: Bundle) -> None:
    troubled = beats(minutes=80, decelerations=True, accelerations=0, seed=1).recording
    assessment = check(assess(bundle, CtgInput(analysis=analyse(troubled), stage="labour"), MEDIAN))
    figo = assessment.distress.detail["guidelines"][0]
    assert figo["label"] == "pathological"
    assert bundle.acidaemia is not None
    assert assessment.distress.probability is not None
    assert assessment.distress.probability < bundle.acidaemia.thresholds[MILD.name][0]
    assert (assessment.state, assessment.state_basis) == (HIGH, "FIGO 2015")
    assert assessment.state_reasons[0].startswith("FIGO 2015 pathological: late or prolonged decelerations with")


def test_low_needs_every_rule_set_and_the_score(bundle: Bundle) -> None:
    calm = Scene(60, 1).level((0.0, 138.0)).vary(11.0).accelerate().done()
    ctg = CtgInput(analysis=analyse(calm), stage="labour", age_days=280)
    answer = check(assess(bundle, ctg, None))
    assert (answer.state, answer.state_basis) == (LOW, "rule sets and score")
    assert [reason for reason in answer.state_reasons if "normal" in reason or "category I" in reason]
    for other, why in (
        (CtgInput(analysis=analyse(calm), stage="unknown", age_days=280), "not stated whether"),
        (CtgInput(analysis=analyse(calm), stage="labour", age_days=258), "before 37+0"),
        (CtgInput(analysis=analyse(replace(calm, toco=None)), stage="labour", age_days=280), "contractions"),
    ):
        lesser = check(assess(bundle, other, None))
        assert lesser.state == UNDECIDED
        assert any(why in reason for reason in lesser.state_reasons)
    twins = check(assess(bundle, ctg, None, Circumstances(fetuses=2)))
    assert (twins.state, "one of several fetuses" in twins.state_reasons) == (UNDECIDED, True)


def test_a_flat_trace_with_late_decelerations_is_high_and_has_a_score(bundle: Bundle) -> None:
    flat = trace(minutes=80, baseline_bpm=158, variability_bpm=3, late_decelerations=True, accelerations=0, seed=4)
    assessment = check(assess(bundle, CtgInput(analysis=analyse(flat.recording), stage="labour"), None))
    assert assessment.state == HIGH
    assert assessment.distress.refusal is None


def test_a_refused_score_does_not_refuse_the_state(bundle: Bundle) -> None:
    strange = Scene(60, 3).level((0.0, 140.0)).vary(11.0).fall(50, 70, 10).done()
    wild = np.where(np.arange(len(strange.fhr_bpm)) % 8 < 4, strange.fhr_bpm, strange.fhr_bpm + 20.0)
    assessment = check(assess(bundle, CtgInput(analysis=analyse(replace(strange, fhr_bpm=wild)), stage="labour"), None))
    assert assessment.distress.refusal is not None
    assert "unlike those that the model was trained on" in assessment.distress.refusal
    assert assessment.score is None
    assert assessment.state == HIGH


def test_guidelines_follow_the_stage(bundle: Bundle) -> None:
    analysis = analyse(LABOUR)

    def rules(stage: str) -> list[str]:
        detail = assess(bundle, CtgInput(analysis=analysis, stage=stage), None).distress.detail
        return [answer["rules"] for answer in detail["guidelines"]]

    assert rules("labour") == ["FIGO 2015", "NICHD 2008", "NICE NG229 (amended)"]
    assert rules("antepartum") == ["NST", "Dawes-Redman"]
    assert len(rules("unknown")) == 5
    older = assess(bundle, CtgInput(analysis=analysis, stage="labour"), None, Circumstances(nice="2022"))
    assert older.distress.detail["guidelines"][2]["rules"] == "NICE NG229 (2022)"
    stated = CtgInput(analysis=analysis, stage="labour", stated=Statements(hypertonus=True))
    nice = assess(bundle, stated, None).distress.detail["guidelines"][2]
    assert any("hypertonus" in line for line in nice["criteria"])


def test_short_term_variation_is_never_shown_for_labour(bundle: Bundle) -> None:
    analysis = analyse(LABOUR)
    assert read(analysis).short_term_variation_ms is not None
    for stage in ("labour", "unknown"):
        detail = assess(bundle, CtgInput(analysis=analysis, stage=stage), None).distress.detail
        assert detail["short_term_variation_ms"] is None


def test_outside_the_training_range_is_said(bundle: Bundle) -> None:
    assessment = check(assess(bundle, CtgInput(features=HEALTHY | {"baseline_bpm": 85}), None))
    assert any("Outside what the model was trained on" in line for line in assessment.remarks)


def test_a_table_with_gaps_uses_what_a_trace_gives_or_refuses(bundle: Bundle) -> None:
    without = {name: value for name, value in HEALTHY.items() if name != "mean_stv_bpm"}
    assessment = check(assess(bundle, CtgInput(features=without), None))
    assert assessment.distress.detail["view"] == "trace"
    assert any("mean short-term variability" in line for line in assessment.warnings)
    lacking = {name: value for name, value in HEALTHY.items() if name != "baseline_bpm"}
    assert assess(bundle, CtgInput(features=lacking), None).distress.refusal == "the table lacks baseline"


def test_a_bad_signal_is_a_state(bundle: Bundle) -> None:
    analysis = analyse(trace(minutes=20, loss=0.7, seed=2).recording)
    assessment = check(assess(bundle, CtgInput(analysis=analysis), MEDIAN))
    assert assessment.distress.refusal is not None
    assert "signal loss" in assessment.distress.refusal
    assert (assessment.state, assessment.state_basis, assessment.score) == (CANNOT_ASSESS, "signal loss", None)


@pytest.mark.parametrize(
    ("scan", "words"),
    [
        (ScanInput(typed={HC: 260}), "no gestational age"),
        (ScanInput(typed={HC: 80}, age=Age(90, "test")), "14\\+0 to 40\\+0"),
    ],
)
def test_growth_needs_an_age_the_standard_covers(bundle: Bundle, scan: ScanInput, words: str) -> None:
    assessment = check(assess(bundle, None, scan))
    assert assessment.state == CANNOT_ASSESS
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(assessment.growth.refusal)


def test_an_image_without_a_scale_is_not_measured(bundle: Bundle) -> None:
    pixels = phantom(Ellipse(400, 270, 230, 180, 0.1), seed=4)
    head = bundle.segmenter.head(pixels)
    assessment = check(assess(bundle, None, ScanInput((ScanImage(UltrasoundImage(pixels), head),), age=AGE)))
    scale = "the scale of the image is not known; give the pixel size, or a calliper of known length"
    assert assessment.growth.refusal in {scale, head.refusal}


def test_a_typed_circumference_overrides_and_both_are_kept(bundle: Bundle) -> None:
    pixels = phantom(Ellipse(400, 270, 230, 180, 0.1), seed=4)
    head = bundle.segmenter.head(pixels)
    image = ScanImage(UltrasoundImage(pixels, 0.18, "typed"), head)
    assessment = check(assess(bundle, None, ScanInput((image,), typed={HC: 250.0}, age=AGE)))
    assert assessment.growth.detail["measures"][HC] == {
        "value": 250.0,
        "error_sd": pytest.approx(3.8, abs=0.01),
        "source": "typed",
    }
    assert ("measurement" in assessment.growth.detail) == (head.refusal is None)


def segmented(ellipse: Ellipse, refusal: str | None = None) -> ScanImage:
    """An image in which the network found this outline."""
    pixels = UltrasoundImage(np.zeros((540, 800), np.uint8), 0.18, "typed")
    return ScanImage(pixels, HeadEllipse(None if refusal else ellipse, None, refusal))


def test_a_drawn_outline_overrides_the_model(bundle: Bundle) -> None:
    image, drawn = segmented(Ellipse(400, 270, 230, 180, 0.1)), Ellipse(400, 270, 250, 190, 0.1)
    scan = ScanInput((image,), Outline(0, drawn, "anna", "2026-03-02T10:00"), age=AGE)
    detail = check(assess(bundle, None, scan)).growth.detail
    assert detail["measures"][HC]["source"] == "corrected"
    assert detail["measures"][HC]["value"] == pytest.approx(drawn.perimeter * 0.18)
    assert detail["corrected"]["by"] == "anna"
    assert detail["measurement"]["values"][HC] == pytest.approx(230.1 * 0.18 * 5.613, rel=0.01)
    with pytest.raises(InputError, match="no image 2"):
        assess(bundle, None, ScanInput((image,), Outline(1, drawn, "anna", ""), age=AGE))


def test_an_outline_drawn_where_the_gate_refused_is_measured(bundle: Bundle) -> None:
    drawn = Ellipse(400, 270, 250, 190, 0.1)
    image = segmented(drawn, "no fetal head was found in the image")
    assert check(assess(bundle, None, ScanInput((image,), age=AGE))).state == CANNOT_ASSESS
    assessment = check(assess(bundle, None, ScanInput((image,), Outline(0, drawn, "anna", ""), age=AGE)))
    assert assessment.growth.detail["measures"][HC]["source"] == "corrected"


def test_several_images_are_one_measurement(bundle: Bundle) -> None:
    images = (
        segmented(Ellipse(400, 270, 230, 180, 0)),
        segmented(Ellipse(400, 270, 250, 196, 0)),
        segmented(Ellipse(0, 0, 9, 9, 0), "cut off"),
    )
    assessment = check(assess(bundle, None, ScanInput(images, age=AGE)))
    head = assessment.growth.detail["measurement"]
    assert head["images"] == 2
    assert head["spread"] == pytest.approx(0.085, abs=0.003)
    assert any("images differ by" in line for line in assessment.warnings)
    assert [line["refusal"] for line in assessment.growth.detail["images"]] == [None, None, "cut off"]
    low, high = head["intervals"][HC]
    assert low < head["values"][HC] < high


def test_weight_and_abdomen_speak_for_the_size(bundle: Bundle) -> None:
    small = {HC: 255.0, AC: 205.0, FL: 48.0}
    assessment = check(assess(bundle, CtgInput(features=dict(HEALTHY)), ScanInput(typed=small, age=AGE)))
    head = check(assess(bundle, CtgInput(features=dict(HEALTHY)), ScanInput(typed={HC: 255.0}, age=AGE)))
    assert "estimated weight" in assessment.growth.event
    assert assessment.growth.probability is not None
    assert head.growth.probability is not None
    assert assessment.growth.probability > 0.5 > head.growth.probability
    assert assessment.score is not None
    assert head.score is not None
    assert assessment.score > head.score
    assert any("Only the head" in line for line in head.warnings)
    assert not any("Only the head" in line for line in assessment.warnings)


def test_growth_restriction_by_consensus_raises_a_ctg(bundle: Bundle) -> None:
    scan = ScanInput(typed={AC: 200.0}, age=AGE)
    assessment = check(assess(bundle, CtgInput(features=dict(HEALTHY)), scan))
    assert assessment.state == RAISED
    assert "Delphi consensus 2016: criteria of early fetal growth restriction are met" in assessment.state_reasons
    alone = check(assess(bundle, None, scan))
    assert (alone.state, alone.growth.detail["growth"]["delphi"]["verdict"]) == (CANNOT_ASSESS, "met")


@pytest.mark.parametrize(
    ("dopplers", "state"),
    [
        (Dopplers(umbilical_end_diastolic_flow="reversed"), HIGH),
        (Dopplers(umbilical_end_diastolic_flow="absent"), RAISED),
        (Dopplers(ductus_venosus_a_wave="absent"), HIGH),
        (Dopplers(ductus_venosus_a_wave="reversed"), HIGH),
        (Dopplers(umbilical_end_diastolic_flow="present", ductus_venosus_a_wave="present"), CANNOT_ASSESS),
    ],
)
def test_a_flow_alone_decides(bundle: Bundle, dopplers: Dopplers, state: str) -> None:
    assert check(assess(bundle, None, ScanInput(age=AGE, dopplers=dopplers))).state == state
    assert check(assess(bundle, None, ScanInput(typed={HC: 260.4}, age=AGE, dopplers=dopplers))).state == state


def test_impossible_values_are_errors(bundle: Bundle) -> None:
    with pytest.raises(RangeError):
        assess(bundle, None, ScanInput(typed={HC: 900}, age=AGE))
    with pytest.raises(InputError, match="0 to 44"):
        assess(bundle, None, ScanInput(typed={HC: 250}, age=Age(420, "test")))


def test_contributions_cover_every_given_feature(bundle: Bundle) -> None:
    assessment = assess(bundle, CtgInput(features=dict(HEALTHY)), None)
    contributions = assessment.distress.detail["contributions"]
    assert set(contributions) == set(DESIGN_NAMES)
    assert np.isfinite(list(contributions.values())).all()


def test_a_contribution_against_physiology_is_remarked(bundle: Bundle) -> None:
    troubled = analyse(beats(minutes=80, decelerations=True, accelerations=0, seed=1).recording)
    answer = assess(bundle, CtgInput(analysis=troubled, stage="labour"), None)
    reason = next(reason for reason in answer.reasons if reason.text == "decelerations")
    assert ("Against physiology" in reason.remark) == (reason.log_odds < 0)
    calm = assess(bundle, CtgInput(analysis=analyse(beats(minutes=80, seed=1).recording), stage="labour"), None)
    assert not any(reason.remark for reason in calm.reasons)


def test_a_rate_that_the_model_does_not_measure_gets_no_score(bundle: Bundle) -> None:
    agonal = Scene(60, 1).level((0.0, 138.0)).vary(10.0).fall(48, 43, 12).done()
    answer = check(assess(bundle, CtgInput(analysis=analyse(agonal), stage="labour"), MEDIAN))
    assert (answer.state, answer.score) == (HIGH, None)
    assert answer.distress.refusal is not None
    assert "below 50 bpm for 10 of the last 10 min" in answer.distress.refusal
