"""What one ultrasound site does in the federation of the head segmenter."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from federated.plan import UltrasoundPlan
from federated.strategies.averaging import WeightReply, cosine_learning_rate
from models.datasets.hc18 import HeadImage
from models.evaluation.splits import set_aside
from models.ultrasound.network import HeadSegmenter
from models.ultrasound.training import predict_heads, prepare, train_epochs

Arrays = dict[str, NDArray[np.float32]]
ERROR_STEP = 0.001
ERROR_BINS = 1000


def initial_arrays(seed: int) -> Arrays:
    """Weights of a freshly initialised network."""
    torch.manual_seed(seed)
    return arrays_of(HeadSegmenter())


def arrays_of(network: HeadSegmenter) -> Arrays:
    """The network's weights as arrays by name."""
    return {name: tensor.detach().numpy().copy() for name, tensor in network.state_dict().items()}


def network_of(arrays: Mapping[str, NDArray[np.float32]]) -> HeadSegmenter:
    """The network with these weights."""
    network = HeadSegmenter()
    network.load_state_dict({name: torch.from_numpy(np.array(values)) for name, values in arrays.items()})
    return network


class ImageSite:
    """One site's examinations: those that train, and those set aside for the interval and the gate.

    Repeats of one frozen frame are dropped. Raises ValueError if nothing is left to train on.
    """

    def __init__(self, name: str, records: Sequence[HeadImage], plan: UltrasoundPlan, *, seed: int) -> None:
        kept = [record for record in records if record.same_frame_as is None]
        aside = set_aside([record.examination for record in kept], plan.set_aside)
        self.name = name
        self.plan = plan
        self.seed = seed + sum(name.encode())
        self.aside = [record for record, out in zip(kept, aside, strict=True) if out]
        self.rows = prepare([record for record, out in zip(kept, aside, strict=True) if not out])
        if len(self.rows) == 0:
            raise ValueError(f"site {name} has no image to train on")

    def train(self, arrays: Mapping[str, NDArray[np.float32]], round_number: int) -> tuple[WeightReply, float]:
        """Local epochs from the global weights; returns the reply and the training loss."""
        network = network_of(arrays)
        loss = train_epochs(
            network,
            self.rows,
            epochs=self.plan.local_epochs,
            learning_rate=cosine_learning_rate(self.plan.learning_rate, round_number, self.plan.rounds),
            seed=self.seed * 1009 + round_number,
            batch_size=self.plan.batch_size,
        )
        return WeightReply(self.name, float(len(self.rows)), arrays_of(network)), loss

    def errors(self, arrays: Mapping[str, NDArray[np.float32]]) -> tuple[NDArray[np.int64], float]:
        """Histogram of |HC error| / HC over the examinations set aside, and the sum of |error| in mm.

        Both add over sites. A head for which no ellipse is found counts in the last bin.
        """
        counts = np.zeros(ERROR_BINS, dtype=np.int64)
        absolute_mm = 0.0
        for record, head in zip(self.aside, predict_heads(network_of(arrays), self.aside), strict=True):
            estimate = head.ellipse.perimeter * record.pixel_size_mm if head.ellipse else 0.0
            error = abs(estimate - record.head_circumference_mm)
            absolute_mm += error
            counts[min(int(error / estimate / ERROR_STEP), ERROR_BINS - 1) if estimate else ERROR_BINS - 1] += 1
        return counts, absolute_mm


def conformal_quantile(counts: NDArray[np.int64], coverage: float = 0.9) -> float:
    """Split-conformal quantile of the relative error from its histogram (upper edge of the bin).

    Rank ceil((n + 1) * coverage) (Vovk V et al. Algorithmic Learning in a Random World. 2005).

    Raises
    ------
    ValueError
        Too few calibration images for this coverage.
    """
    total = int(counts.sum())
    rank = int(np.ceil((total + 1) * coverage))
    if rank > total:
        raise ValueError(f"{total} calibration images are too few for {coverage:.0%} coverage")
    position = int(np.searchsorted(np.cumsum(counts), rank))
    return (position + 1) * ERROR_STEP
