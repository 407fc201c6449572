"""Size for age as a label that both modalities have."""

import numpy as np
import pytest

from models.growth.biometry_standards import HEAD_CIRCUMFERENCE
from models.representation.growth_class import (
    CELLS,
    SMALL_Z,
    constructed_ages,
    growth_cell,
    growth_class,
)


def test_classes_and_cells() -> None:
    z = np.array([-3.0, SMALL_Z - 1e-9, SMALL_Z + 1e-9, 0.0, 1.2, 1.3, 4.0, np.nan])
    assert growth_class(z).tolist() == [0, 0, 1, 1, 1, 2, 2, -1]
    assert growth_cell(z).tolist() == [0, 0, 1, 3, 4, 5, 5, -1]
    assert growth_cell(np.linspace(-4, 4, 99)).max() + 1 == CELLS


def test_constructed_ages_fit_the_head_and_are_the_same_in_every_run() -> None:
    names = [f"{k:03d}" for k in range(30)] + ["000"]
    heads = np.append(np.linspace(120, 300, 30), 121.0)
    z, days = constructed_ages(names, heads)
    again = constructed_ages(names[::-1], heads[::-1])
    np.testing.assert_array_equal(z, again[0][::-1])
    assert z[0] == z[-1]
    assert days[0] == days[-1]
    for k in range(1, 30):
        if np.isfinite(z[k]):
            assert HEAD_CIRCUMFERENCE.z_score(float(heads[k]), float(days[k])) == pytest.approx(z[k], abs=1e-6)
    assert np.isnan(constructed_ages(["x"], np.array([20.0]))[0]).all()
