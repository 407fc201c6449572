"""Screening of replies before they are used: what is wrong, at which site, and what to do."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from federated.weights.averaging import Arrays, WeightReply


@dataclass(frozen=True)
class Rejection:
    """A reply that is not used in its round."""

    site: str
    reason: str
    remedy: str

    def words(self) -> str:
        """The rejection as one sentence."""
        return f"site {self.site}: {self.reason}; {self.remedy}"


def screen(
    replies: Sequence[WeightReply], current: Arrays, norm_limit: float
) -> tuple[list[WeightReply], list[Rejection]]:
    """Separate replies that can be averaged from those that cannot.

    Parameters
    ----------
    replies : sequence of WeightReply
        The replies of one wave.
    current : mapping of str to ndarray
        The weights that the sites were sent.
    norm_limit : float
        An update is an outlier if its norm is larger than this many times the median norm of the wave.

    Returns
    -------
    accepted : list of WeightReply
    rejected : list of Rejection
        Values that are not finite, other names or shapes than `current`, a weight that is not positive, or an outlier.
    """
    usable, rejected = [], []
    for reply in replies:
        fault = _fault(reply, current)
        if fault is None:
            usable.append(reply)
        else:
            rejected.append(Rejection(reply.site, *fault))
    norms = [update_norm(reply, current) for reply in usable]
    limit = norm_limit * float(np.median(norms)) if norms else 0.0
    accepted = []
    for reply, norm in zip(usable, norms, strict=True):
        if len(usable) > 2 and norm > limit:
            reason = f"its update has norm {norm:.3g}, the median is {np.median(norms):.3g}"
            rejected.append(Rejection(reply.site, reason, "look at its data, or raise norm_limit in the plan"))
        else:
            accepted.append(reply)
    return accepted, rejected


def update_norm(reply: WeightReply, current: Arrays) -> float:
    """Euclidean norm of the site's update, over the arrays that it has."""
    squares = [
        float(np.square(values - current[name], dtype=np.float64).sum()) for name, values in reply.arrays.items()
    ]
    return float(np.sqrt(np.sum(squares)))


def _fault(reply: WeightReply, current: Arrays) -> tuple[str, str] | None:
    if not 0 < reply.weight < float("inf"):
        return f"its weight is {reply.weight}", "a site is weighted by its rows: it must have some"
    unknown = sorted(set(reply.arrays) - set(current))
    if unknown or not reply.arrays:
        name = unknown[0] if unknown else "nothing"
        return f"it replied with {name}, which is not part of this model", "install the same version at every site"
    for name, values in reply.arrays.items():
        if values.shape != current[name].shape:
            words = f"{name} has shape {values.shape}, the model has {current[name].shape}"
            return words, "install the same version at every site"
        if not np.isfinite(values).all():
            return f"{name} is not finite", "lower the learning rate, or look for damaged rows there"
    return None
