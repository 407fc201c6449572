"""Prototypes, moments, canonical correlation: sums that add, floors, and a null that noise does not beat."""

import numpy as np
import pytest

from models.representation.alignment import (
    CLIP,
    canonical,
    cell_means,
    class_sums,
    clipped,
    match,
    moment_sums,
    moments,
    prototypes,
)

RNG = np.random.default_rng(1)
EMBEDDING = RNG.normal(size=(90, 16))
LABEL = np.repeat([0, 1, 2], [45, 36, 9])


def test_rows_are_clipped() -> None:
    rows = clipped(np.vstack([EMBEDDING, 1e6 * EMBEDDING[:1]]))
    assert np.linalg.norm(rows, axis=1).max() == pytest.approx(CLIP)
    np.testing.assert_allclose(rows[1], EMBEDDING[1])


def test_class_sums_add_and_hide_small_classes() -> None:
    whole = class_sums(EMBEDDING, LABEL, 3)
    assert whole[:, 0].tolist() == [45, 36, 0]  # nine are too few
    parts = [class_sums(EMBEDDING[k::2], LABEL[k::2], 3) for k in range(2)]
    np.testing.assert_allclose(sum(parts), whole)
    means = prototypes(whole)
    assert set(means) == {0, 1}
    np.testing.assert_allclose(means[0], clipped(EMBEDDING)[LABEL == 0].mean(axis=0))


def test_moment_sums_add() -> None:
    parts = [moment_sums(EMBEDDING[:40]), moment_sums(EMBEDDING[40:])]
    estimated = moments(np.sum(parts, axis=0))
    assert estimated is not None
    np.testing.assert_allclose(estimated.mean, clipped(EMBEDDING).mean(axis=0))
    np.testing.assert_allclose(estimated.covariance, np.cov(clipped(EMBEDDING).T, bias=True), atol=1e-9)
    assert not moment_sums(EMBEDDING[:9]).any()
    assert moments(moment_sums(EMBEDDING[:9])) is None


def _spaces(shared: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two modalities, no common patient; `shared` is how much of the cell shows in both."""
    rng = np.random.default_rng(4)
    cell = np.repeat(np.arange(6), 60)
    signal = np.linspace(-1, 1, 6)[cell]
    spaces = []
    for _ in range(2):
        direction = rng.normal(size=16)
        spaces.append(shared * 4 * signal[:, None] * direction + rng.normal(size=(360, 16)))
    return spaces[0], spaces[1], cell


def _pairs(shared: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    first, second, cell = _spaces(shared)
    return match(cell_means(first, cell, 12, 1), cell_means(second, cell, 12, 2), 3)


@pytest.mark.slow
def test_a_shared_label_is_found_and_noise_is_not() -> None:
    alignment = canonical(*_pairs(1.0), dimensions=1, permutations=99, seed=0)
    assert alignment.correlation > 0.9
    assert alignment.correlation > alignment.null_95
    assert alignment.beats_null
    noise = canonical(*_pairs(0.0), dimensions=1, permutations=99, seed=0)
    assert not noise.beats_null
    assert "null 95 %" in noise.words()


def test_the_map_brings_matched_means_together() -> None:
    first, second, cell = _pairs(1.0)
    alignment = canonical(first, second, cell, dimensions=1, permutations=0, seed=0)
    mapped = second @ alignment.weight.T + alignment.shift
    assert np.linalg.norm(mapped - first, axis=1).mean() < 0.8 * np.linalg.norm(second - first, axis=1).mean()


def test_too_little_is_refused() -> None:
    first, second, cell = _pairs(1.0)
    with pytest.raises(ValueError, match="72 matched means of 6 cells are too few for 8 canonical dimensions"):
        canonical(first, second, cell, dimensions=8, permutations=1, seed=0)
    with pytest.raises(ValueError, match="of 1 cells"):
        canonical(first, second, np.zeros_like(cell), dimensions=1, permutations=1, seed=0)


def test_means_of_small_cells_are_not_told() -> None:
    assert {c for c, _ in cell_means(EMBEDDING, LABEL, 3, 0)} == {0, 1}
    assert match([(0, EMBEDDING[0])], [(1, EMBEDDING[1])], 0)[0].shape == (0, 0)
