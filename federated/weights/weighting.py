"""How much a site's reply counts in a mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Weighting = Literal["examples", "square-root", "class-balanced", "inverse-variance", "equal"]


@dataclass(frozen=True)
class SiteCounts:
    """What a weight is made of.

    Attributes
    ----------
    rows : int
    strata : sequence of int
        Rows of each class (for images: size band), floored by the site (`federated.privacy.small_cells`).
    loss_variance : float
        Variance of the loss over the batches of this round; only "inverse-variance" asks for it.
    """

    rows: int
    strata: Sequence[int] = ()
    loss_variance: float = 1.0


def site_weights(kind: Weighting, counts: Mapping[str, SiteCounts]) -> dict[str, float]:
    """Weight of each site, positive.

    ``"examples"`` n; ``"square-root"`` its root; ``"equal"`` 1; ``"class-balanced"`` the mean over classes of the
    site's share of that class (a site that holds half of the rare class counts by it); ``"inverse-variance"``
    n / variance of the site's loss, the precision of its mean.
    """
    if kind == "examples":
        return {name: float(one.rows) for name, one in counts.items()}
    if kind == "square-root":
        return {name: float(one.rows) ** 0.5 for name, one in counts.items()}
    if kind == "equal":
        return dict.fromkeys(counts, 1.0)
    if kind == "inverse-variance":
        return {name: one.rows / max(one.loss_variance, 1e-9) for name, one in counts.items()}
    total = np.sum([one.strata for one in counts.values()], axis=0)
    held = total > 0
    shares = {name: float(np.mean(np.asarray(one.strata)[held] / total[held])) for name, one in counts.items()}
    smallest = min((share for share in shares.values() if share > 0), default=1.0)
    return {name: max(share, smallest / 2) for name, share in shares.items()}
