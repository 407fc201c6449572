"""FedAdam: the server uses the mean update as a gradient for Adam (Reddi S et al. ICLR 2021).

Every array is a weight, because the networks have no running statistics. So Adam applies to all of them.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from federated.weights.averaging import Arrays

FIRST, SECOND, ADAPTIVITY = 0.9, 0.99, 1e-3
Moments = dict[str, NDArray[np.float64]]


@dataclass
class ServerAdam:
    """Adam at the server; a resumed run starts with the moments of its checkpoint."""

    learning_rate: float
    first: Moments = field(default_factory=dict)
    second: Moments = field(default_factory=dict)

    def step(self, current: Arrays, mean: Arrays) -> dict[str, NDArray[np.float32]]:
        """The next weights, for the arrays of the mean."""
        after = {}
        for name, values in mean.items():
            update = values.astype(np.float64) - current[name]
            self.first[name] = FIRST * self.first.get(name, np.zeros_like(update)) + (1 - FIRST) * update
            self.second[name] = SECOND * self.second.get(name, np.zeros_like(update)) + (1 - SECOND) * update**2
            moved = self.learning_rate * self.first[name] / (np.sqrt(self.second[name]) + ADAPTIVITY)
            after[name] = (current[name] + moved).astype(np.float32)
        return after

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """The moments as arrays, for the checkpoint."""
        parts = (("first", self.first), ("second", self.second))
        return {f"{kind}:{name}": v.astype(np.float32) for kind, moments in parts for name, v in moments.items()}

    def restore(self, arrays: Arrays) -> None:
        """Inverse of `arrays`; arrays with other names are ignored."""
        for kind, moments in (("first", self.first), ("second", self.second)):
            moments.update(
                {
                    name.removeprefix(f"{kind}:"): values.astype(np.float64)
                    for name, values in arrays.items()
                    if name.startswith(f"{kind}:")
                }
            )
