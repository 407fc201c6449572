"""Ellipse fitting and measurement."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.ultrasound.biometry import head_ellipse, measure
from models.ultrasound.ellipse import Ellipse, edge_points, fit_ellipse, fit_robust
from models.ultrasound.image import letterbox

ellipses = st.builds(
    Ellipse,
    st.floats(20, 500),
    st.floats(20, 500),
    st.floats(60, 200),
    st.floats(35, 59),
    st.floats(-1.5, 1.5),
)


@given(ellipses)
def test_fit_recovers_the_ellipse(truth: Ellipse) -> None:
    points = truth.points(90)
    found = fit_ellipse(points[:, 0], points[:, 1])
    assert found.centre_x == pytest.approx(truth.centre_x, abs=1e-3)
    assert found.semi_major == pytest.approx(truth.semi_major, rel=1e-5)
    assert found.semi_minor == pytest.approx(truth.semi_minor, rel=1e-5)
    assert np.cos(2 * (found.angle - truth.angle)) == pytest.approx(1, abs=1e-6)


def test_perimeter_of_a_circle_and_of_a_known_ellipse() -> None:
    assert Ellipse(0, 0, 10, 10, 0).perimeter == pytest.approx(20 * np.pi)
    assert Ellipse(0, 0, 2, 1, 0).perimeter == pytest.approx(9.688448220547675)


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 3), st.floats(-0.7, 0.7))
def test_sub_pixel_edges(shift: float, angle: float) -> None:
    truth = Ellipse(95 + shift, 64, 50, 38, angle)
    logit = (truth.coverage(128, 192, 8).astype(float) - 0.5) * 8
    x, y = edge_points(logit)
    found, roughness = fit_robust(x, y)
    assert found.perimeter == pytest.approx(truth.perimeter, rel=0.003)
    assert roughness < 0.01


def test_too_few_or_collinear_points() -> None:
    with pytest.raises(ValueError, match="six points"):
        fit_ellipse(np.arange(5.0), np.arange(5.0))
    with pytest.raises(ValueError, match=r"line|ellipse"):
        fit_ellipse(np.arange(20.0), np.arange(20.0))


def test_measure_is_outer_to_outer_in_mm() -> None:
    made = measure(Ellipse(0, 0, 200, 150, 0), 0.2, 0.02)
    assert made.biparietal_diameter_mm == 60
    assert made.occipitofrontal_diameter_mm == 80
    assert made.cephalic_index == 0.75
    assert made.interval_mm[1] - made.interval_mm[0] == pytest.approx(0.04 * made.head_circumference_mm)


def test_letterbox_maps_back() -> None:
    truth = Ellipse(400, 270, 220, 170, 0.3)
    _, geometry = letterbox(np.zeros((540, 800), dtype=np.uint8))
    framed = truth.scaled(geometry.scale_x, geometry.scale_y, geometry.offset_x, geometry.offset_y)
    logit = (framed.coverage(128, 192, 8).astype(float) - 0.5) * 12
    head = head_ellipse(logit, geometry, 540, 800)
    assert head.refusal is None
    assert head.ellipse is not None
    assert head.ellipse.perimeter == pytest.approx(truth.perimeter, rel=0.004)
    assert head.ellipse.centre_x == pytest.approx(400, abs=1)


@pytest.mark.parametrize(
    ("ellipse", "words"),
    [
        (None, "no fetal head"),
        (Ellipse(96, 64, 6, 5, 0), "too small"),
        (Ellipse(96, 64, 80, 24, 0), "too elongated"),
        (Ellipse(5, 5, 60, 45, 0), "cut off"),
    ],
)
def test_the_gate_says_why(ellipse: Ellipse | None, words: str) -> None:
    logit = np.full((128, 192), -8.0)
    if ellipse is not None:
        logit = (ellipse.coverage(128, 192, 4).astype(float) - 0.5) * 16
    _, geometry = letterbox(np.zeros((540, 800), dtype=np.uint8))
    assert words in (head_ellipse(logit, geometry, 540, 800).refusal or "")


def test_a_ragged_outline_is_refused() -> None:
    logit = np.full((128, 192), -8.0)
    logit[30:100, 40:60] = 8
    logit[80:100, 40:150] = 8
    _, geometry = letterbox(np.zeros((540, 800), dtype=np.uint8))
    assert head_ellipse(logit, geometry, 540, 800).refusal
