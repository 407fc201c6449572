"""Federated averaging (McMahan HB et al. AISTATS 2017), as a pure function of the replies.

The network has group normalisation and no buffers, so every array is a weight and none is a batch
statistic. Sums are made in float64 over replies in the order of their sites: any order of arrival gives the
same bytes, and a server holds one sum however many sites there are.
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
        > 0.
    arrays : mapping of str to ndarray
    lane_weight : mapping of int to float
        Of the arrays named ``lane.weight``, where lanes learn from different numbers of rows.
    """

    site: str
    weight: float
    arrays: Arrays
    lane_weight: Mapping[int, float] = field(default_factory=dict)

    def weight_of(self, name: str) -> float:
        """What an array of this name counts."""
        return self.lane_weight[int(name.partition(".")[0])] if self.lane_weight else self.weight


class RunningMean:
    """Weighted mean of replies that come one after the other, in the order of their sites."""

    def __init__(self) -> None:
        self._sums: dict[str, NDArray[np.float64]] = {}
        self._weights: dict[str, float] = {}

    def add(self, reply: WeightReply, *, whole: bool = True) -> None:
        """Take a reply in.

        Parameters
        ----------
        reply : WeightReply
        whole : bool
            Every reply must hold the same arrays; otherwise each array is averaged over the sites that hold it.

        Raises
        ------
        ValueError
            A weight that is not positive, other arrays than before, or a value that is not finite.
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
            weighed = values.astype(np.float64) * weight
            self._sums[name] = weighed if so_far is None else so_far + weighed
            self._weights[name] = self._weights.get(name, 0.0) + weight

    def value(self) -> dict[str, NDArray[np.float32]]:
        """The mean of what was added; raises ValueError if nothing was."""
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
    """Sorted by site."""
    return sorted(replies, key=lambda reply: reply.site)


def join(lanes: Mapping[int, Arrays]) -> dict[str, NDArray[np.float32]]:
    """Weights of all lanes under ``lane.name``."""
    return {f"{number}.{name}": values for number, arrays in lanes.items() for name, values in arrays.items()}


def lane_of(arrays: Arrays, number: int) -> dict[str, NDArray[np.float32]]:
    """The weights of one lane, by name."""
    prefix = f"{number}."
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}


def lane_numbers(arrays: Arrays) -> Sequence[int]:
    """The lanes that the arrays hold."""
    return sorted({int(name.partition(".")[0]) for name in arrays})


def cosine_learning_rate(peak: float, round_number: int, rounds: int, warm_up: int = 2) -> float:
    """Learning rate of a round (1-based): linear warm-up, then a cosine to 1 % of the peak."""
    if round_number <= warm_up:
        return peak * round_number / (warm_up + 1)
    return peak * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * (round_number - 1) / rounds)))
