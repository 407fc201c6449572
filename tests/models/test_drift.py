"""Drift: none for the same distribution, an alarm for another one, no alarm by chance; counts of sites add up."""

import numpy as np
import pytest

from models.drift import BINS, PSI_ALARM, Reference, binned, coarse, ks, merge_small_cells, psi, psi_noise

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
    assert psi(expected[0], same[0]) < PSI_ALARM / 4
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


@pytest.mark.parametrize("rows", [40, 120, 400])
def test_chance_alone_raises_no_alarm(rows: int) -> None:
    expected = binned(table(436, 2), LOW, HIGH)[0]
    indices = np.array([psi(expected, binned(table(rows, 100 + k), LOW, HIGH)[0]) for k in range(400)])
    limit = max(PSI_ALARM, psi_noise(expected, rows))
    assert np.mean(indices > limit) <= 0.005
    assert psi_noise(expected, 0) == float("inf")


def test_small_cells_are_merged_with_a_neighbour_and_no_value_is_lost() -> None:
    counts = np.array([2, 0, 40, 1, 3, 20, 0, 0, 0, 0, 0, 4, 3])
    # 2 joins 40; 1 and 3 join 20, and so does the 4 at the upper end; 3 missing values have no neighbour.
    assert merge_small_cells(counts, 5).tolist() == [0, 0, 42, 0, 0, 28, 0, 0, 0, 0, 0, 0, 0]


def test_large_cells_stay_and_fewer_values_than_the_limit_are_dropped() -> None:
    large = np.array([5, 0, 40, 0, 0, 20, 0, 0, 0, 0, 0, 6, 7])
    assert merge_small_cells(large, 5).tolist() == large.tolist()
    few = np.array([0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 9])
    assert merge_small_cells(few, 5).tolist() == [0] * 12 + [9]


def test_bins_are_joined_until_each_holds_a_tenth() -> None:
    expected = np.array([1, 90, 5, 2, 1, 1, 0, 0, 0, 0, 0, 0, 7])
    joined, actual = coarse(expected, expected[::-1])
    assert joined.sum() == expected.sum()
    assert actual.sum() == expected.sum()
    assert joined[-1] == 7
    assert all(cell >= 10 for cell in joined[:-1])


def test_what_was_never_there_has_no_distance() -> None:
    empty = np.zeros(BINS, dtype=np.int64)
    assert np.isnan(ks(empty, empty))
    assert np.isnan(psi(empty, empty))
    assert Reference.from_dict(None) is None
    reference = Reference.from_dict({"names": ["a"], "low": [0.0], "high": [1.0], "counts": [[0] * BINS]})
    assert reference is not None
    assert reference.counts.shape == (1, BINS)
