"""Ellipse fitting."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.ultrasound.ellipse import Ellipse, edge_points, fit_ellipse, fit_robust

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
    fitted = fit_ellipse(points[:, 0], points[:, 1])
    assert fitted.centre_x == pytest.approx(truth.centre_x, abs=1e-3)
    assert fitted.semi_major == pytest.approx(truth.semi_major, rel=1e-5)
    assert fitted.semi_minor == pytest.approx(truth.semi_minor, rel=1e-5)
    assert np.cos(2 * (fitted.angle - truth.angle)) == pytest.approx(1, abs=1e-6)


def test_perimeter_of_a_circle_and_of_a_known_ellipse() -> None:
    assert Ellipse(0, 0, 10, 10, 0).perimeter == pytest.approx(20 * np.pi)
    assert Ellipse(0, 0, 2, 1, 0).perimeter == pytest.approx(9.688448220547675)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.floats(0, 3), st.floats(-0.7, 0.7))
def test_sub_pixel_edges(shift: float, angle: float) -> None:
    truth = Ellipse(95 + shift, 64, 50, 38, angle)
    logit = (truth.coverage(128, 192, 8).astype(float) - 0.5) * 8
    x, y = edge_points(logit)
    fitted, roughness = fit_robust(x, y)
    assert fitted.perimeter == pytest.approx(truth.perimeter, rel=0.003)
    assert roughness < 0.01


def test_too_few_or_collinear_points() -> None:
    with pytest.raises(ValueError, match="six points"):
        fit_ellipse(np.arange(5.0), np.arange(5.0))
    with pytest.raises(ValueError, match=r"line|ellipse"):
        fit_ellipse(np.arange(20.0), np.arange(20.0))
