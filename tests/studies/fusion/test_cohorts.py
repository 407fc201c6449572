"""The three cohorts: what they promise holds, and they are the same every time."""

from itertools import product

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import spearmanr

from models.datasets.ctu_uhb import find, read
from models.evaluation.outcome import calibration_line
from models.fusion.growth_odds import ANCHOR_Z
from models.growth.biometry_standards import HEAD_CIRCUMFERENCE
from models.synthetic.datasets import write_ctu_uhb
from studies.fusion.cohorts import SCAN_DAYS, Assumptions, copula_cohort, real_pairs, semi_real


def test_real_pairs_hold_size_age_and_outcome(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("labour")
    write_ctu_uhb(folder, records=6, seed=1)
    where = find(folder)
    assert where is not None
    rows = real_pairs(read(where))
    assert len(rows) == 6
    assert all(abs(row["z_fmf"]) < 5 and 0 <= row["parity"] <= 3 and 19 <= row["maternal_age"] < 42 for row in rows)
    late = [row for row in rows if row["completed_weeks"] >= 40]
    assert late
    assert all(row["z_hadlock"] == "" for row in late)


@pytest.fixture(scope="module")
def births() -> tuple[list[str], np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    rng = np.random.default_rng(0)
    z = -0.4 + 1.4 * rng.standard_normal(1500)
    z[::50] = np.nan
    return [str(k) for k in range(1500)], z, rng.integers(37, 42, 1500).astype(float)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.8])
def test_a_semi_real_scan_has_the_age_at_which_its_head_has_the_wanted_size(
    births: tuple[list[str], np.ndarray, np.ndarray],  # type: ignore[type-arg]
    correlation: float,
) -> None:
    names, z, weeks = births
    images = [f"{k}.png" for k in range(300)]
    sizes = np.linspace(90, 330, 300)
    rows = semi_real(names, z, weeks, images, sizes, correlation, seed=3)
    assert len(rows) == np.isfinite(z).sum()
    for row in rows[:50]:
        at = HEAD_CIRCUMFERENCE.value_at(row["head_z"], row["scan_days"])
        assert at == pytest.approx(sizes[images.index(row["image"])], abs=1.5)
        assert SCAN_DAYS[0] - 1 <= row["scan_days"] <= SCAN_DAYS[1] + 1
        assert row["scan_days"] + row["days_before_birth"] == pytest.approx(
            7 * (weeks[int(row["record"])] + 0.5), abs=1
        )
    index = [int(row["record"]) for row in rows]
    found = np.corrcoef(z[index], [row["head_z"] for row in rows])[0, 1]
    assert found == pytest.approx(correlation, abs=0.06)
    assert semi_real(names, z, weeks, images, sizes, correlation, seed=3) == rows


@pytest.fixture(scope="module")
def trace() -> np.ndarray:  # type: ignore[type-arg]
    return np.asarray(logit(0.2) + np.random.default_rng(1).normal(0, 1.1, 4000))


@pytest.mark.parametrize(("odds_ratio", "dependence"), list(product((1.0, 3.5), (0.0, 0.3))))
def test_a_copula_cohort_has_what_it_assumes(
    trace: np.ndarray,  # type: ignore[type-arg]
    odds_ratio: float,
    dependence: float,
) -> None:
    assumed = Assumptions(odds_ratio, dependence, prevalence=0.1, missing=0.25, births=60_000)
    made = copula_cohort(assumed, trace, seed=2)
    assert made.event.mean() == pytest.approx(0.1, abs=0.005)
    assert np.isnan(made.z).mean() == pytest.approx(0.25, abs=0.01)
    shifted = made.trace + logit(0.1) - logit(expit(trace).mean())
    assert calibration_line(made.event, expit(shifted)) == pytest.approx((0.0, 1.0), abs=0.08)
    known = np.isfinite(made.z)
    controls = known & ~made.event
    assert spearmanr(made.trace[controls], -made.z[controls])[0] == pytest.approx(dependence, abs=0.03)
    near = [made.event[known & (np.abs(made.z - at) < 0.15)].mean() for at in (ANCHOR_Z, 0.0)]
    ratio = near[0] / (1 - near[0]) / (near[1] / (1 - near[1]))
    assert ratio == pytest.approx(odds_ratio, rel=0.2)


def test_a_cohort_is_the_same_every_time(trace: np.ndarray) -> None:  # type: ignore[type-arg]
    first, again = (copula_cohort(Assumptions(births=500), trace, seed=4) for _ in range(2))
    np.testing.assert_array_equal(first.z, again.z)
    assert not np.array_equal(first.z, copula_cohort(Assumptions(births=500), trace, seed=5).z)
