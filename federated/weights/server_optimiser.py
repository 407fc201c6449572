"""FedAdam: the mean update as a gradient for Adam at the server (Reddi S et al. ICLR 2021).

Every array is a weight (the networks have no running statistics), so none needs to be kept out.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from federated.weights.averaging import Arrays

FIRST, SECOND, ADAPTIVITY = 0.9, 0.99, 1e-3
Moments = dict[str, NDArray[np.float64]]


@dataclass
class ServerAdam:
    """Moments of the mean update; a run that goes on starts with those it kept."""

    learning_rate: float
    first: Moments = field(default_factory=dict)
    second: Moments = field(default_factory=dict)

    def step(self, current: Arrays, mean: Arrays) -> dict[str, NDArray[np.float32]]:
        """The weights after a round whose replies have this mean: those that the mean holds."""
        after = {}
        for name, values in mean.items():
            update = values.astype(np.float64) - current[name]
            self.first[name] = FIRST * self.first.get(name, np.zeros_like(update)) + (1 - FIRST) * update
            self.second[name] = SECOND * self.second.get(name, np.zeros_like(update)) + (1 - SECOND) * update**2
            moved = self.learning_rate * self.first[name] / (np.sqrt(self.second[name]) + ADAPTIVITY)
            after[name] = (current[name] + moved).astype(np.float32)
        return after

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """For the checkpoint."""
        parts = (("first", self.first), ("second", self.second))
        return {f"{kind}:{name}": v.astype(np.float32) for kind, moments in parts for name, v in moments.items()}

    def restore(self, arrays: Arrays) -> None:
        """Inverse of `arrays`; other names are left alone."""
        for kind, moments in (("first", self.first), ("second", self.second)):
            moments.update(
                {
                    name.removeprefix(f"{kind}:"): values.astype(np.float64)
                    for name, values in arrays.items()
                    if name.startswith(f"{kind}:")
                }
            )
