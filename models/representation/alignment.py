"""What two modalities can share without a shared patient: the structure of a label that both have.

Sites give clipped sums of embeddings by growth class and cell, never fewer than ten rows behind one. From them come
class prototypes (Tan Y et al. FedProto. AAAI 2022), first and second moments (CORAL), and matched pairs of cell means
for canonical correlation analysis. On a few class means any two spaces correlate perfectly, so correlation is judged
on pairs that the fit has not seen, against pairs matched at random.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cross_decomposition import CCA
from sklearn.decomposition import PCA

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
MINIMUM_ROWS = 10
CLIP = 10.0
PAIRS_A_DIMENSION = 10


@dataclass(frozen=True)
class Moments:
    """Mean, shape (d,), and covariance, shape (d, d)."""

    mean: Array
    covariance: Array


def clipped(embedding: Array) -> Array:
    """Scale long rows down to a norm of 10."""
    norm = np.linalg.norm(embedding, axis=1, keepdims=True)
    return np.asarray(embedding * np.minimum(1.0, CLIP / np.maximum(norm, 1e-12)))


def class_sums(embedding: Array, label: Labels, classes: int) -> Array:
    """Count and sum of the embeddings of each class, shape (classes, 1 + d); 0 where fewer than ten rows. They add."""
    rows = clipped(embedding)
    sums = np.zeros((classes, 1 + rows.shape[1]))
    for value in range(classes):
        members = rows[label == value]
        if len(members) >= MINIMUM_ROWS:
            sums[value] = [len(members), *members.sum(axis=0)]
    return sums


def prototypes(sums: Array) -> dict[int, Array]:
    """Mean embedding of each class of which at least one site has ten rows."""
    return {value: row[1:] / row[0] for value, row in enumerate(sums) if row[0] > 0}


def moment_sums(embedding: Array) -> Array:
    """Count, sum and sum of outer products in one array, shape (d + 1, d + 1); 0 for fewer than ten rows. They add."""
    rows = clipped(embedding)
    if len(rows) < MINIMUM_ROWS:
        return np.zeros((rows.shape[1] + 1, rows.shape[1] + 1))
    extended = np.hstack([np.ones((len(rows), 1)), rows])
    return np.asarray(extended.T @ extended)


def moments(sums: Array) -> Moments | None:
    """Mean and covariance from `moment_sums`; None without rows."""
    count = sums[0, 0]
    if count == 0:
        return None
    mean = sums[0, 1:] / count
    return Moments(mean, sums[1:, 1:] / count - np.outer(mean, mean))


def cell_means(embedding: Array, cell: Labels, draws: int, seed: int) -> list[tuple[int, Array]]:
    """Means of `draws` resamples of each cell; a cell of fewer than ten rows is left out."""
    rng = np.random.default_rng(seed)
    rows = clipped(embedding)
    means: list[tuple[int, Array]] = []
    for value in np.unique(cell[cell >= 0]):
        members = np.flatnonzero(cell == value)
        if len(members) < MINIMUM_ROWS:
            continue
        for _ in range(draws):
            drawn = rng.choice(members, size=len(members), replace=True)
            means.append((int(value), rows[drawn].mean(axis=0)))
    return means


def match(
    first: Sequence[tuple[int, Array]], second: Sequence[tuple[int, Array]], seed: int
) -> tuple[Array, Array, Labels]:
    """Pairs of means of the same cell: two arrays of shape (pairs, d), and the cell of each pair."""
    rng = np.random.default_rng(seed)
    pairs: list[tuple[Array, Array, int]] = []
    for value in sorted({cell for cell, _ in first} & {cell for cell, _ in second}):
        ours = [mean for cell, mean in first if cell == value]
        theirs = [mean for cell, mean in second if cell == value]
        rng.shuffle(theirs)
        pairs += [(a, b, value) for a, b in zip(ours, theirs, strict=False)]
    if not pairs:
        return np.zeros((0, 0)), np.zeros((0, 0)), np.zeros(0, dtype=np.int64)
    return np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs]), np.array([p[2] for p in pairs])


@dataclass(frozen=True)
class Canonical:
    """A fitted alignment and what it is worth.

    Attributes
    ----------
    correlation : float
        Mean canonical correlation on cells that the fit did not see.
    null_95 : float
        95th percentile of the same over permuted matches.
    p_value : float
    dimensions, pairs : int
    weight : ndarray, shape (d, d)
    shift : ndarray, shape (d,)
        ``weight @ second + shift`` lies in the space of the first.
    """

    correlation: float
    null_95: float
    p_value: float
    dimensions: int
    pairs: int
    weight: Array
    shift: Array

    @property
    def beats_null(self) -> bool:
        """True when p is below .05."""
        return self.p_value < 0.05

    def words(self) -> str:
        """The result as one line of text."""
        return f"held-out correlation {self.correlation:.2f}, null 95 % {self.null_95:.2f}, p {self.p_value:.3f}"


def canonical(first: Array, second: Array, cell: Labels, *, dimensions: int, permutations: int, seed: int) -> Canonical:
    """Fit CCA on matched means and judge it by out-of-fold cells, against cells matched at random.

    Both sides are reduced to `dimensions` principal components before (the regularisation: with fewer components
    than pairs a tenth, chance correlations are small).

    Raises
    ------
    ValueError
        Fewer than ten pairs a dimension, or fewer than three cells.
    """
    if len(first) < PAIRS_A_DIMENSION * dimensions or len(np.unique(cell)) < 3:
        size = f"{len(first)} matched means of {len(np.unique(cell))} cells"
        raise ValueError(f"{size} are too few for {dimensions} canonical dimensions")
    rng = np.random.default_rng(seed)
    cells = np.unique(cell)
    observed = _out_of_fold_correlation(first, second, cell, dimensions)
    null = []
    for _ in range(permutations):
        # Whole cells are matched anew: pairs of one cell are not independent.
        order = dict(zip(cells, rng.permutation(cells), strict=True))
        rows = np.concatenate(
            [_as_many(np.flatnonzero(cell == order[value]), int((cell == value).sum())) for value in cells]
        )
        own = np.concatenate([np.flatnonzero(cell == value) for value in cells])
        null.append(_out_of_fold_correlation(first[own], second[rows], cell[own], dimensions))
    weight, shift = _map(first, second, dimensions)
    p_value = (1 + sum(value >= observed for value in null)) / (1 + permutations)
    limit = float(np.percentile(null, 95)) if null else float("nan")
    return Canonical(observed, limit, p_value, dimensions, len(first), weight, shift)


def _as_many(rows: Labels, count: int) -> Labels:
    return np.resize(rows, count)


def _fit(first: Array, second: Array, dimensions: int) -> tuple[PCA, PCA, CCA]:
    ours, theirs = PCA(dimensions).fit(first), PCA(dimensions).fit(second)
    return ours, theirs, CCA(dimensions, max_iter=2000).fit(ours.transform(first), theirs.transform(second))


def _out_of_fold_correlation(first: Array, second: Array, cell: Labels, dimensions: int) -> float:
    """Mean over dimensions of the correlation of canonical variates, each cell's from a fit on the other cells."""
    a, b = np.zeros((len(first), dimensions)), np.zeros((len(first), dimensions))
    for value in np.unique(cell):
        out = cell == value
        ours, theirs, model = _fit(first[~out], second[~out], dimensions)
        a[out], b[out] = model.transform(ours.transform(first[out]), theirs.transform(second[out]))
    return float(np.mean([_correlation(a[:, k], b[:, k]) for k in range(dimensions)]))


def _correlation(a: Array, b: Array) -> float:
    spread = float(a.std() * b.std())
    return float(((a - a.mean()) * (b - b.mean())).mean() / spread) if spread > 0 else 0.0


def _map(first: Array, second: Array, dimensions: int) -> tuple[Array, Array]:
    """Linear map of the second space onto the first through the canonical variates; identity off them."""
    ours, theirs, model = _fit(first, second, dimensions)
    predicted = ours.inverse_transform(model.predict(theirs.transform(second)))
    basis = theirs.components_
    centred = theirs.transform(second)
    coefficients, *_ = np.linalg.lstsq(centred, predicted - first.mean(axis=0), rcond=None)
    weight = coefficients.T @ basis + np.eye(second.shape[1]) - basis.T @ basis
    return weight, first.mean(axis=0) - weight @ second.mean(axis=0)
