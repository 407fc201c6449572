"""At least one of two events: between its bounds always, and calibrated where the two are independent."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.fusion.either import at_least_one

share = st.floats(0, 1)


@given(share, share)
def test_the_probability_lies_inside_the_bounds_and_the_bounds_inside_the_interval(p: float, q: float) -> None:
    either = at_least_one(p, (p / 2, (1 + p) / 2), q, (q / 2, (1 + q) / 2))
    assert either.bounds[0] - 1e-12 <= either.probability <= either.bounds[1] + 1e-12
    assert either.interval[0] <= either.bounds[0]
    assert either.bounds[1] <= either.interval[1] <= 1


@pytest.mark.parametrize("dependence", ["independent", "together", "apart"])
def test_the_frequency_of_at_least_one(dependence: str) -> None:
    """The bounds hold whatever the dependence; the probability itself where there is none."""
    rng = np.random.default_rng(4)
    p, q, n = 0.3, 0.2, 200_000
    first = rng.uniform(size=n)
    second = {"independent": rng.uniform(size=n), "together": first, "apart": 1 - first}[dependence]
    happened = float(np.mean((first < p) | (second < q)))
    either = at_least_one(p, (p, p), q, (q, q))
    assert either.bounds[0] - 0.005 <= happened <= either.bounds[1] + 0.005
    if dependence == "independent":
        assert happened == pytest.approx(either.probability, abs=0.005)


def test_what_is_no_probability_is_refused() -> None:
    with pytest.raises(ValueError, match="outside 0 to 1"):
        at_least_one(1.2, (0, 1), 0.1, (0, 1))
