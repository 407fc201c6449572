"""Robust means, which a few wrong sites cannot move far. They need all replies at once, and enough correct ones."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from federated.weights.averaging import WeightReply, average, in_order


def trimmed_mean(replies: Sequence[WeightReply], trim: float) -> dict[str, NDArray[np.float32]]:
    """Coordinate-wise mean without the `trim` share of the largest and of the smallest values (Yin D et al. ICML 2018).

    Sites count equally: a weight would let one site outvote the rest.

    Raises
    ------
    ValueError
        No value would be left, or none would be trimmed.
    """
    trimmed = int(trim * len(replies))
    if trimmed < 1 or 2 * trimmed >= len(replies):
        raise ValueError(f"a trimmed mean of {len(replies)} sites cannot leave out {trimmed} on each side; change trim")
    ordered = in_order(replies)
    names = ordered[0].arrays
    stacked = {name: np.sort(np.stack([reply.arrays[name] for reply in ordered]), axis=0) for name in names}
    return {
        name: values[trimmed:-trimmed].astype(np.float64).mean(axis=0).astype(np.float32)
        for name, values in stacked.items()
    }


def krum(replies: Sequence[WeightReply], faulty: int) -> dict[str, NDArray[np.float32]]:
    """Mean of the n - f replies that lie closest to their neighbours (multi-Krum; Blanchard P et al. NeurIPS 2017).

    Raises
    ------
    ValueError
        Fewer than 2 f + 3 sites.
    """
    if len(replies) < 2 * faulty + 3:
        raise ValueError(
            f"Krum against {faulty} wrong sites needs {2 * faulty + 3} sites, there are {len(replies)}; change trim"
        )
    ordered = in_order(replies)
    flat = np.stack([np.concatenate([values.ravel() for _, values in sorted(r.arrays.items())]) for r in ordered])
    distance = np.array([[float(np.square(a - b).sum()) for b in flat.astype(np.float64)] for a in flat])
    neighbours = len(ordered) - faulty - 2
    score = np.sort(distance, axis=1)[:, 1 : neighbours + 1].sum(axis=1)
    closest = np.argsort(score, kind="stable")[: len(ordered) - faulty]
    return average([ordered[position] for position in sorted(closest)])
