"""From logits to a measured head, what the gate refuses, and intervals by size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.growth.measures import BPD, HC, OFD
from models.ultrasound import gate
from models.ultrasound.biometry import combined, head_ellipse, measure
from models.ultrasound.ellipse import Ellipse
from models.ultrasound.image import Letterbox, letterbox, mirrored, unmirrored
from models.ultrasound.interval import (
    EDGES_MM,
    ERROR_BINS,
    MEASURES,
    Intervals,
    band_of,
    empty_counts,
    error_bin,
)

DARK = np.zeros((540, 800), dtype=np.uint8)
GEOMETRY: Letterbox = letterbox(DARK)[1]
EVEN = Intervals((), dict.fromkeys(MEASURES, ((-0.02, 0.02),)))


def views(ellipse: Ellipse | None, sharpness: float = 16) -> np.ndarray:
    """What a sure network says of this outline, four times."""
    logit = np.full((128, 192), -8.0)
    if ellipse is not None:
        logit = (ellipse.coverage(128, 192, 8).astype(float) - 0.5) * sharpness
    return np.stack([logit] * 4)


def refusal_of(logits: np.ndarray, image: np.ndarray = DARK) -> str:
    refusal = head_ellipse(logits, GEOMETRY, image).refusal
    assert refusal is not None
    return refusal


def framed(truth: Ellipse) -> Ellipse:
    return truth.scaled(GEOMETRY.scale_x, GEOMETRY.scale_y, GEOMETRY.offset_x, GEOMETRY.offset_y)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(st.floats(330, 470), st.floats(240, 300), st.floats(150, 220), st.floats(0.72, 0.9), st.floats(-0.5, 0.5))
def test_letterbox_maps_back(x: float, y: float, axis: float, ratio: float, angle: float) -> None:
    truth = Ellipse(x, y, axis, axis * ratio, angle)
    head = head_ellipse(views(framed(truth)), GEOMETRY, DARK)
    assert head.refusal is None
    assert head.ellipse is not None
    assert head.ellipse.perimeter == pytest.approx(truth.perimeter, rel=0.004)
    assert head.ellipse.centre_x == pytest.approx(x, abs=1)


def test_measure_is_outer_to_outer_in_mm() -> None:
    result = measure(Ellipse(0, 0, 200, 150, 0), 0.2, EVEN)
    assert result.values[BPD] == 60
    assert result.values[OFD] == 80
    assert result.cephalic_index == 0.75
    low, high = result.intervals[HC]
    assert high - low == pytest.approx(0.04 * result.values[HC])
    assert result.measured()[HC].error_sd == pytest.approx(0.02 * result.values[HC] / 1.6449, rel=1e-3)


def test_images_of_one_head_are_averaged_and_their_interval_does_not_shrink() -> None:
    first, second = (measure(Ellipse(0, 0, a, 150, 0), 0.2, EVEN) for a in (200, 210))
    both = combined([first, second])
    assert both.values[OFD] == pytest.approx(82)
    assert both.images == 2
    assert both.spread == pytest.approx(
        2 * (second.values[HC] - first.values[HC]) / (second.values[HC] + first.values[HC])
    )
    width = both.intervals[HC][1] - both.intervals[HC][0]
    assert width == pytest.approx(np.mean([h.intervals[HC][1] - h.intervals[HC][0] for h in (first, second)]))
    assert combined([first]) == first


@pytest.mark.parametrize(
    ("ellipse", "words"),
    [
        (None, "no fetal head"),
        (Ellipse(96, 64, 9, 7, 0), "too small"),
        (Ellipse(96, 64, 80, 24, 0), "too elongated"),
        (Ellipse(5, 5, 60, 45, 0), "cut off"),
        (Ellipse(96, 64, 120, 90, 0), "cut off"),
    ],
)
def test_the_gate_says_why(ellipse: Ellipse | None, words: str) -> None:
    assert words in refusal_of(views(ellipse))


def test_a_ragged_outline_is_refused() -> None:
    logit = np.full((128, 192), -8.0)
    logit[30:100, 40:60] = 8
    logit[80:100, 40:150] = 8
    assert head_ellipse(np.stack([logit] * 4), GEOMETRY, DARK).refusal


def test_an_open_outline_is_refused() -> None:
    truth = Ellipse(96, 64, 60, 46, 0)
    logits = views(truth)
    logits[:, :, 110:] = -8.0
    assert head_ellipse(logits, GEOMETRY, DARK).refusal


def test_views_that_disagree_are_refused() -> None:
    logits = views(Ellipse(96, 64, 56, 44, 0))
    logits[1] = views(Ellipse(96, 64, 48, 36, 0))[0]
    assert "different outlines" in refusal_of(logits)


def test_a_bright_inside_is_no_ultrasound() -> None:
    assert "too bright" in refusal_of(views(Ellipse(96, 64, 56, 44, 0)), np.full((540, 800), 180, np.uint8))


def test_an_unsure_network_is_refused() -> None:
    assert "not sure" in refusal_of(views(Ellipse(96, 64, 56, 44, 0), 1.5))


GOOD = gate.Traits(0.3, 0.8, 0.01, 0.98, 1.0, 0.002, 0.0, 40.0)


@pytest.mark.parametrize(
    "name", ["area_share", "axis_ratio", "roughness", "confidence", "support", "spread", "outside_share", "inside_grey"]
)
def test_every_trait_can_refuse(name: str) -> None:
    bad = 200.0 if name in {"roughness", "spread", "outside_share", "inside_grey"} else 0.0
    assert gate.refusal(GOOD) is None
    assert gate.refusal(gate.Traits(**{**GOOD.__dict__, name: bad}))


def test_mirror_images_turn_back() -> None:
    framed_image = np.arange(128 * 192, dtype=np.uint32).reshape(128, 192).astype(np.uint8)
    back = unmirrored(mirrored(framed_image).astype(np.float32))
    assert (back == framed_image).all()


def test_bands_cut_at_the_trimesters() -> None:
    assert [band_of(mm) for mm in (80, 97.8, 98, 149, 151, 211, 261)] == [0, 0, 1, 1, 2, 3, 4]
    assert len(EDGES_MM) == 4


def counts_of(errors: np.ndarray, band: int) -> np.ndarray:
    counts = empty_counts()
    for error in errors:
        counts[:, band, error_bin(1 + error, 1.0)] += 1
    return counts


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_conformal_intervals_cover_new_errors(seed: int) -> None:
    rng = np.random.default_rng(seed)
    errors = rng.normal(0.004, 0.012, 1200)
    result = Intervals.from_counts(counts_of(errors[:200], 2))
    low, high = result.interval(HC, 1.0, 180.0)
    assert 0.82 < np.mean((1 + errors[200:] >= low) & (1 + errors[200:] <= high)) < 0.97
    assert low < 1 < high


def test_each_size_has_its_own_interval_and_thin_bands_borrow() -> None:
    rng = np.random.default_rng(0)
    counts = counts_of(rng.normal(0, 0.03, 100), 0) + counts_of(rng.normal(0, 0.01, 300), 2)
    counts += counts_of(rng.normal(0, 0.01, 10), 4)
    result = Intervals.from_counts(counts)
    widths = [pair[1] - pair[0] for pair in result.bounds[HC]]
    assert widths[0] > 2 * widths[2]
    assert widths[4] == widths[3] == widths[1]
    assert widths[2] < widths[4] < widths[0]
    assert Intervals.from_dict(result.as_dict()) == result


def test_too_few_errors_give_no_interval() -> None:
    with pytest.raises(ValueError, match="too few"):
        Intervals.from_counts(counts_of(np.zeros(18), 2))
    Intervals.from_counts(counts_of(np.zeros(19), 2))


def test_far_errors_stay_in_the_histogram() -> None:
    assert error_bin(1, 0) == ERROR_BINS - 1
    assert error_bin(10, 1) == ERROR_BINS - 1
    assert error_bin(0.1, 1) == 0


def test_a_bundle_made_before_has_one_share() -> None:
    old = Intervals.from_dict({"error_quantile": 0.024, "coverage": 0.9, "calibration_images": 150})
    assert old.interval(HC, 200.0, 200.0) == pytest.approx((195.2, 204.8))
