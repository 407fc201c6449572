"""The z-score of a birth weight by completed weeks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.growth.birth_weight import birth_weight_z
from models.growth.weight import FMF_2018, HADLOCK_1991


@given(st.floats(-3, 3), st.integers(24, 41))
def test_birth_weight(z: float, weeks: int) -> None:
    grams = FMF_2018.value_at(z, 7 * weeks + 3.5)
    assert birth_weight_z(np.array([grams]), np.array([float(weeks)]))[0] == pytest.approx(z, abs=1e-6)


def test_a_birth_weight_off_the_chart_has_no_class() -> None:
    z = birth_weight_z(np.array([3000.0, np.nan, 3000.0, 0.0]), np.array([43.0, 40.0, np.nan, 40.0]))
    assert np.isnan(z).all()


def test_another_chart_covers_fewer_weeks() -> None:
    weight, weeks = np.array([3400.0, 3400.0]), np.array([39.0, 40.0])
    assert np.isfinite(birth_weight_z(weight, weeks)).all()
    hadlock = birth_weight_z(weight, weeks, HADLOCK_1991)
    assert np.isfinite(hadlock[0])
    assert np.isnan(hadlock[1])
