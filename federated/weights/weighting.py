"""Weights of the sites' replies in a mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from federated.plan import Weighting


@dataclass(frozen=True)
class SiteCounts:
    """The counts that a site's weight is computed from.

    Attributes
    ----------
    rows : int
    strata : sequence of int
        Rows of each class (for images: size band), suppress_small by the site (`federated.privacy.small_cells`).
    loss_variance : float
        Variance of the loss over the batches of this round; only "inverse-variance" uses it.
    """

    rows: int
    strata: Sequence[int] = ()
    loss_variance: float = 1.0


def site_weights(kind: Weighting, counts: Mapping[str, SiteCounts]) -> dict[str, float]:
    """Weight of each site, positive.

    ``"examples"``: the number of rows n. ``"square-root"``: the square root of n. ``"equal"``: 1. ``"class-balanced"``:
    the mean, over classes, of the site's share of the rows of that class. ``"inverse-variance"``: n divided by the
    variance of the site's loss, which is the precision of its mean.
    """
    if kind == "examples":
        return {name: float(site.rows) for name, site in counts.items()}
    if kind == "square-root":
        return {name: float(site.rows) ** 0.5 for name, site in counts.items()}
    if kind == "equal":
        return dict.fromkeys(counts, 1.0)
    if kind == "inverse-variance":
        return {name: site.rows / max(site.loss_variance, 1e-9) for name, site in counts.items()}
    total = np.sum([site.strata for site in counts.values()], axis=0)
    present = total > 0
    shares = {name: float(np.mean(np.asarray(site.strata)[present] / total[present])) for name, site in counts.items()}
    smallest = min((share for share in shares.values() if share > 0), default=1.0)
    return {name: max(share, smallest / 2) for name, share in shares.items()}
