"""A look at every reply before it can matter: what is wrong, at which site, and what to do."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from federated.weights.averaging import Arrays, WeightReply


@dataclass(frozen=True)
class Rejection:
    """A reply that is left out of its round."""

    site: str
    reason: str
    remedy: str

    def words(self) -> str:
        """One line."""
        return f"site {self.site}: {self.reason}; {self.remedy}"


def screen(
    replies: Sequence[WeightReply], current: Arrays, norm_limit: float
) -> tuple[list[WeightReply], list[Rejection]]:
    """Part replies that can be averaged from those that cannot.

    Parameters
    ----------
    replies : sequence of WeightReply
        Those that came together (a wave).
    current : mapping of str to ndarray
        The weights that the sites were sent.
    norm_limit : float
        An update whose norm is more than so many times the median of the wave's is an outlier.

    Returns
    -------
    accepted : list of WeightReply
    rejected : list of Rejection
        Not finite, other names or shapes than `current`, a weight that is not positive, or an outlier.
    """
    sound, rejected = [], []
    for reply in replies:
        fault = _fault(reply, current)
        if fault is None:
            sound.append(reply)
        else:
            rejected.append(Rejection(reply.site, *fault))
    norms = [update_norm(reply, current) for reply in sound]
    limit = norm_limit * float(np.median(norms)) if norms else 0.0
    accepted = []
    for reply, norm in zip(sound, norms, strict=True):
        if len(sound) > 2 and norm > limit:
            reason = f"its update has norm {norm:.3g}, the median is {np.median(norms):.3g}"
            rejected.append(Rejection(reply.site, reason, "look at its data, or raise norm_limit in the plan"))
        else:
            accepted.append(reply)
    return accepted, rejected


def update_norm(reply: WeightReply, current: Arrays) -> float:
    """Euclidean norm of what the site changed in the arrays that it holds."""
    squares = [
        float(np.square(values - current[name], dtype=np.float64).sum()) for name, values in reply.arrays.items()
    ]
    return float(np.sqrt(np.sum(squares)))


def _fault(reply: WeightReply, current: Arrays) -> tuple[str, str] | None:
    if not 0 < reply.weight < float("inf"):
        return f"its weight is {reply.weight}", "a site counts by its rows: it must hold some"
    unknown = sorted(set(reply.arrays) - set(current))
    if unknown or not reply.arrays:
        named = unknown[0] if unknown else "nothing"
        return f"it replied with {named}, which is not part of this model", "install the same version at every site"
    for name, values in reply.arrays.items():
        if values.shape != current[name].shape:
            words = f"{name} has shape {values.shape}, the model has {current[name].shape}"
            return words, "install the same version at every site"
        if not np.isfinite(values).all():
            return f"{name} is not finite", "lower the learning rate, or look for damaged rows there"
    return None
