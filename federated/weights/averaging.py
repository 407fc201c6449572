"""Federated averaging (McMahan HB et al. AISTATS 2017), as a pure function of the replies.

The network has group normalisation and no buffers, so that every array is a weight and none is a batch statistic. Sums
are made in float64, over replies in the order of their sites: the order of arrival does not change the bytes, and the
server stores one sum however many sites there are.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class WeightReply:
    """One site's weights after its local epochs.

    Attributes
    ----------
    site : str
    weight : float
        Greater than 0.
    arrays : mapping of str to ndarray
    fold_model_weight : mapping of int to float
        Weight of each fold model's arrays (named ``model.weight``), where fold models learn from different numbers of
        rows.
    """

    site: str
    weight: float
    arrays: Arrays
    fold_model_weight: Mapping[int, float] = field(default_factory=dict)

    def weight_of(self, name: str) -> float:
        """How much the array of this name counts in the mean."""
        return self.fold_model_weight[int(name.partition(".")[0])] if self.fold_model_weight else self.weight


class RunningMean:
    """Weighted mean of replies that are added one by one, in the order of their sites."""

    def __init__(self) -> None:
        self._sums: dict[str, NDArray[np.float64]] = {}
        self._weights: dict[str, float] = {}

    def add(self, reply: WeightReply, *, whole: bool = True) -> None:
        """Add a reply.

        Parameters
        ----------
        reply : WeightReply
        whole : bool
            Every reply must have the same arrays; otherwise each array is averaged over the sites that have it.

        Raises
        ------
        ValueError
            The weight is not positive, the arrays differ from those before, or a value is not finite.
        """
        if not 0 < reply.weight < math.inf:
            raise ValueError(f"every site's weight must be positive; site {reply.site} replied with {reply.weight}")
        if whole and self._sums and set(self._sums) != set(reply.arrays):
            raise ValueError(f"site {reply.site} replied with different weights")
        for name, values in reply.arrays.items():
            so_far = self._sums.get(name)
            if so_far is not None and so_far.shape != values.shape:
                raise ValueError(f"site {reply.site} replied with different weights")
            if not np.isfinite(values).all():
                raise ValueError(f"site {reply.site} replied with weights that are not finite")
            weight = reply.weight_of(name)
            weighted = values.astype(np.float64) * weight
            self._sums[name] = weighted if so_far is None else so_far + weighted
            self._weights[name] = self._weights.get(name, 0.0) + weight

    def value(self) -> dict[str, NDArray[np.float32]]:
        """The mean of the replies; raises ValueError if there were none."""
        if not self._sums:
            raise ValueError("no site replied")
        return {name: (total / self._weights[name]).astype(np.float32) for name, total in self._sums.items()}


def average(replies: Iterable[WeightReply], *, whole: bool = True) -> dict[str, NDArray[np.float32]]:
    """Mean of the sites' weights, weighted by their rows; raises as `RunningMean`."""
    mean = RunningMean()
    for reply in in_order(replies):
        mean.add(reply, whole=whole)
    return mean.value()


def in_order(replies: Iterable[WeightReply]) -> list[WeightReply]:
    """The replies sorted by site."""
    return sorted(replies, key=lambda reply: reply.site)


def join(fold_models: Mapping[int, Arrays]) -> dict[str, NDArray[np.float32]]:
    """Weights of all fold models, named ``number.name``."""
    return {f"{number}.{name}": values for number, arrays in fold_models.items() for name, values in arrays.items()}


def fold_model_of(arrays: Arrays, number: int) -> dict[str, NDArray[np.float32]]:
    """The weights of one fold model, by name."""
    prefix = f"{number}."
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}


def fold_model_numbers(arrays: Arrays) -> Sequence[int]:
    """Numbers of the fold models whose weights are among the arrays."""
    return sorted({int(name.partition(".")[0]) for name in arrays})


def cosine_learning_rate(peak: float, round_number: int, rounds: int, warm_up: int = 2) -> float:
    """Learning rate of a round (1-based): linear warm-up, then a cosine to 1 % of the peak."""
    if round_number <= warm_up:
        return peak * round_number / (warm_up + 1)
    return peak * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * (round_number - 1) / rounds)))
