"""Drift: nothing for the same, something for another, no alarm for chance; counts add."""

import numpy as np
import pytest

from models.drift import BINS, PSI_ALARM, PSI_NOTICE, Reference, binned, ks, psi, psi_noise

LOW, HIGH = np.array([-2.5, 0.0]), np.array([2.5, 1.0])


def table(n: int, seed: int, shift: float = 0.0) -> np.ndarray:  # type: ignore[type-arg]
    rng = np.random.default_rng(seed)
    values = np.column_stack([rng.normal(shift, 1, n), rng.random(n)])
    values[: n // 10, 1] = np.nan
    return values


def test_every_value_falls_into_one_bin() -> None:
    counts = binned(table(1000, 0), LOW, HIGH)
    assert counts.shape == (2, BINS)
    assert counts.sum(axis=1).tolist() == [1000, 1000]
    assert counts[1, -1] == 100
    edge = binned(np.array([[-2.5], [2.5], [-2.6], [2.6], [np.nan]]), LOW[:1], HIGH[:1])[0]
    assert (edge[0], edge[1], edge[-3], edge[-2], edge[-1]) == (1, 1, 1, 1, 1)


def test_counts_of_sites_add() -> None:
    whole = table(900, 1)
    np.testing.assert_array_equal(
        binned(whole, LOW, HIGH), binned(whole[:200], LOW, HIGH) + binned(whole[200:], LOW, HIGH)
    )


def test_the_same_is_no_drift_and_a_shift_is() -> None:
    expected = binned(table(4000, 2), LOW, HIGH)
    same, moved = binned(table(2000, 3), LOW, HIGH), binned(table(2000, 4, shift=0.8), LOW, HIGH)
    assert psi(expected[0], same[0]) < PSI_NOTICE / 2
    assert psi(expected[0], moved[0]) > PSI_ALARM
    assert ks(expected[0], same[0]) < 0.05
    assert ks(expected[0], moved[0]) == pytest.approx(0.31, abs=0.05)


def test_a_column_that_goes_missing_is_drift_though_its_values_are_not() -> None:
    expected = binned(table(4000, 2), LOW, HIGH)[1]
    values = table(2000, 5)
    values[:1000, 1] = np.nan
    actual = binned(values, LOW, HIGH)[1]
    assert psi(expected, actual) > PSI_ALARM
    assert ks(expected, actual) < 0.06


def test_chance_alone_stays_below_its_noise_nineteen_times_in_twenty() -> None:
    expected = binned(table(4000, 2), LOW, HIGH)[0]
    found = [psi(expected, binned(table(60, 100 + k), LOW, HIGH)[0]) for k in range(300)]
    assert np.mean(np.array(found) < psi_noise(expected, 60)) > 0.9
    assert psi_noise(expected, 0) == float("inf")


def test_what_was_never_there_has_no_distance() -> None:
    empty = np.zeros(BINS, dtype=np.int64)
    assert np.isnan(ks(empty, empty))
    assert Reference.from_dict(None) is None
    made = Reference.from_dict({"names": ["a"], "low": [0.0], "high": [1.0], "counts": [[0] * BINS]})
    assert made is not None
    assert made.counts.shape == (1, BINS)
