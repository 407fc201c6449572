"""What pairs teach: sizes at birth, cuts, histograms that add over sites; and through JSON."""

import numpy as np
import pytest

from models.fusion.held_out_births import CHART, BirthSizes, HeldOut, PairedFusion, fused
from models.fusion.pooling import POOLING, FusionRule, fuse
from models.fusion.terms import Distress

Z = np.array([-2.0, 0.5, np.nan, 1.0, -1.5, 0.2])


def test_the_spread_beyond_the_chart_is_error_and_true_sizes_are_standard_normal() -> None:
    z = -0.4 + 1.4 * np.random.default_rng(0).standard_normal(50_000)
    sizes = BirthSizes.of(z)
    mean, sd = sizes.true_z(-0.4)
    assert mean == pytest.approx(0.0, abs=0.02)
    means = np.array([sizes.true_z(float(score))[0] for score in z])
    assert means.var() + sd**2 == pytest.approx(1.0, abs=0.02)
    assert CHART.true_z(-1.0) == (-1.0, 0.0)


def test_sizes_add_over_sites_and_too_few_leave_the_chart() -> None:
    parts = [np.array([len(z), z.sum(), (z**2).sum()]) for z in (Z[:2], Z[3:])]
    added, whole = BirthSizes.from_sums(np.sum(parts, axis=0)), BirthSizes.of(Z)
    assert (added.mean, added.sd) == pytest.approx((whole.mean, whole.sd))
    assert added.births == whole.births == 5
    assert BirthSizes.of(np.array([np.nan, 1.0])) == CHART


def test_a_birth_without_a_size_keeps_its_distress_and_without_anything_the_prior() -> None:
    distress = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    terms = BirthSizes.of(Z).terms(Z)
    both = fused(POOLING, 0.2, distress, terms)
    assert both[2] == pytest.approx(0.3)
    assert both[0] > 0.1
    assert both[3] < 0.4
    alone = fused(POOLING, 0.2, None, terms)
    assert alone[2] == 0.2
    assert alone[0] > 0.2 > alone[3]


@pytest.mark.parametrize("rule", [POOLING, FusionRule("stacked", 0.1, 1.2, 0.4), FusionRule("noisy-or")])
def test_many_births_get_what_each_would_get_alone(rule: FusionRule) -> None:
    distress, terms = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]), BirthSizes.of(Z).terms(Z)
    for row, probability in enumerate(fused(rule, 0.2, distress, terms)):
        term = Distress(distress[row], 0.0).term(0.2)
        assert probability == pytest.approx(fuse(rule, 0.2, term, terms[row]).probability)


def test_cuts_are_specificities() -> None:
    negatives = np.linspace(0.001, 0.999, 1000)
    raised, high = HeldOut.of(negatives, np.zeros(1000, dtype=bool)).thresholds()
    assert np.mean(negatives < raised) == pytest.approx(0.80, abs=0.01)
    assert np.mean(negatives < high) == pytest.approx(0.95, abs=0.01)


def test_histograms_add_and_everything_survives_json() -> None:
    rng = np.random.default_rng(1)
    probability, event = rng.random(300), rng.random(300) < 0.3
    whole = HeldOut.of(probability, event)
    parts = HeldOut.of(probability[:100], event[:100]) + HeldOut.of(probability[100:], event[100:])
    np.testing.assert_array_equal(whole.negatives, parts.negatives)
    fusion = PairedFusion(FusionRule("stacked", 0.1, 1.0, 0.5), BirthSizes(-0.4, 1.4, 416), {"both": whole})
    again = PairedFusion.from_dict(fusion.as_dict())
    assert (again.rule, again.sizes) == (fusion.rule, fusion.sizes)
    assert again.quantiles("both") == fusion.quantiles("both")
    assert again.quantiles("ctg only") is None
    assert PairedFusion.from_dict(None).rule == POOLING
