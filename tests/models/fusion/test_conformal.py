"""Quantiles are mapie's; sets cover; counts of sites give the same as rows; too few include everything."""

import numpy as np
import pytest
from mapie.classification import SplitConformalClassifier
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from models.fusion.conformal import Quantiles, certainty, quantile, quantile_of_counts


class Given(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A fitted classifier whose probability of the event is its input."""

    def fit(self, x: NDArray[np.float64], y: NDArray[np.int64]) -> "Given":
        self.classes_ = np.array([0, 1])
        self.is_fitted_ = True
        return self

    def predict(self, x: NDArray[np.float64]) -> NDArray[np.int64]:
        return np.asarray(x[:, 0] > 0.5, dtype=np.int64)

    def predict_proba(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack([1 - x[:, 0], x[:, 0]])


def rows(n: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    probability = rng.beta(1.2, 4, n)
    return probability, rng.random(n) < probability


@pytest.mark.parametrize("seed", range(5))
def test_split_sets_are_those_of_mapie(seed: int) -> None:
    probability, event = rows(150 + 37 * seed, seed)
    fresh, _ = rows(200, seed + 100)
    model = SplitConformalClassifier(Given().fit(probability[:, None], event), confidence_level=0.9, prefit=True)
    model.conformalize(probability[:, None], event.astype(int))
    _, sets = model.predict_set(fresh[:, None])
    ours = Quantiles.fit(probability, event).split_contains(fresh)
    np.testing.assert_array_equal(np.column_stack(ours), sets[:, :, 0])


@pytest.mark.filterwarnings("ignore:WARNING. your conformalization dataset has less labels:UserWarning")
def test_class_conditional_quantiles_are_those_of_mapie_on_each_class() -> None:
    probability, event = rows(400, 3)
    quantiles = Quantiles.fit(probability, event)
    for label, of_class in ((0, ~event), (1, event)):
        model = SplitConformalClassifier(Given().fit(probability[:, None], event), confidence_level=0.9, prefit=True)
        model.conformalize(probability[of_class][:, None], event[of_class].astype(int))
        grid = np.linspace(0.001, 0.999, 500)
        _, sets = model.predict_set(grid[:, None])
        np.testing.assert_array_equal(quantiles.contains(grid)[label], sets[:, label, 0])


def test_sets_cover_each_class_however_rare_and_under_another_prior() -> None:
    probability, event = rows(4000, 7)
    quantiles = Quantiles.fit(probability, event)
    fresh, truth = rows(20_000, 8)
    keep = truth | (np.random.default_rng(0).random(20_000) < 0.2)  # events five times as frequent
    none, some = quantiles.contains(fresh[keep])
    covered = np.where(truth[keep], some, none)
    assert covered[truth[keep]].mean() == pytest.approx(0.9, abs=0.02)
    assert covered[~truth[keep]].mean() == pytest.approx(0.9, abs=0.02)


def test_counts_give_the_rows_quantile_at_a_bin_edge() -> None:
    probability, event = rows(441, 9)
    exact = Quantiles.fit(probability, event)
    counts = [np.histogram(probability[k], bins=500, range=(0, 1))[0].astype(np.int64) for k in (~event, event)]
    binned = Quantiles.from_counts(*counts)
    for name in ("split", "no_event", "event"):
        assert 0 <= getattr(binned, name) - getattr(exact, name) <= 1 / 500 + 1e-12
    assert (binned.rows, binned.events) == (441, int(event.sum()))


def test_with_too_few_rows_nothing_is_excluded() -> None:
    assert quantile(np.array([0.1] * 8)) == 1.0
    assert quantile_of_counts(np.array([8, 0], dtype=np.int64)) == 1.0
    assert quantile(np.arange(9) / 10) == 0.8


@pytest.mark.parametrize(
    ("probability", "holds", "words"),
    [
        (0.02, ("no event",), "<= 7.15 is unlikely"),
        (0.9, ("event",), "above 7.15 is unlikely"),
        (0.3, ("no event", "event"), "neither outcome"),
    ],
)
def test_a_set_is_said_in_words(probability: float, holds: tuple[str, ...], words: str) -> None:
    answer = certainty(Quantiles(441, 90, 0.4, 0.45, 0.9), probability, "both")
    assert answer.holds == holds
    assert answer.abstains == (len(holds) != 1)
    assert words in answer.words
    assert "441 held-out births, 90 with the event" in answer.calibrated_on


def test_an_empty_set_abstains_too() -> None:
    answer = certainty(Quantiles(441, 90, 0.4, 0.3, 0.6), 0.35, "both")
    assert answer.holds == ()
    assert answer.abstains
    assert Quantiles.from_dict(Quantiles(441, 90, 0.4, 0.3, 0.6).as_dict()) == Quantiles(441, 90, 0.4, 0.3, 0.6)
