"""What one ultrasound site does in the federated averaging of the head segmenter.

Fold model 0 learns from all of the site's examinations; fold models 1 to k each leave one fold out. The errors of those
on the examinations that they left out give the intervals and the figures of the gate. All fold models travel in one
message.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from federated.plan import UltrasoundPlan, fold_models_of
from federated.privacy.ledger import PrivacyLedger, round_key
from federated.sites.partition import head_strata
from federated.weights.arrays import Weights, arrays_of, load_arrays
from federated.weights.averaging import WeightReply, cosine_learning_rate, fold_model_of, join
from models.datasets.hc18 import HeadImage
from models.evaluation.folds import hashed_folds
from models.growth.measures import HC
from models.ultrasound.biometry import HeadEllipse, axes_mm
from models.ultrasound.interval import MEASURES, empty_counts, error_counts
from models.ultrasound.network import HeadSegmenter
from models.ultrasound.training import SegmentationRows, predict_head, prepare, train_epochs

ALL = 0


def initial_fold_models(plan: UltrasoundPlan, seed: int) -> Weights:
    """Every fold model starts from the same freshly initialised network."""
    torch.manual_seed(seed)
    first = arrays_of(HeadSegmenter())
    return join(dict.fromkeys(fold_models_of(plan), first))


def network_of(arrays: Mapping[str, NDArray[np.float32]]) -> HeadSegmenter:
    """The network with these weights."""
    network = HeadSegmenter()
    load_arrays(network, arrays)
    return network


class ImageSite:
    """One site's examinations, divided into the folds that fold models leave out.

    Repeated images of one frozen frame are not used. Raises ValueError if no image is left to train on.
    """

    def __init__(
        self,
        name: str,
        records: Sequence[HeadImage],
        plan: UltrasoundPlan,
        *,
        seed: int,
        ledger: PrivacyLedger | None = None,
    ) -> None:
        self.name = name
        self.ledger = ledger
        self.plan = plan
        self.seed = seed + sum(name.encode())
        self.records = [record for record in records if record.same_frame_as is None]
        self.fold = hashed_folds([record.examination for record in self.records], plan.folds)
        if min(len(self.records) - int((self.fold == k).sum()) for k in range(plan.folds)) < 1:
            raise ValueError(f"site {name} has no image to train on")

    @property
    def strata(self) -> list[int]:
        """Images of each size band."""
        return [int(n) for n in np.bincount(head_strata(self.records), minlength=3)]

    @cached_property
    def _all(self) -> SegmentationRows:
        return prepare(self.records)

    def rows(self, number: int) -> SegmentationRows:
        """The rows that a fold model learns from."""
        return self._all.select(np.flatnonzero(self.fold != number - 1))

    def train(
        self, arrays: Mapping[str, NDArray[np.float32]], round_number: int, fold_models: Sequence[int] | None = None
    ) -> tuple[dict[int, WeightReply], list[float]]:
        """Train every fold model for the local epochs, from its global weights.

        Returns
        -------
        replies : dict of int to WeightReply
            By fold model.
        losses : list of float
            Losses of the batches of the first fold model.
        """
        replies, losses = {}, []
        numbers = list(fold_models or fold_models_of(self.plan))
        train = self._without_noise if self.plan.noise is None else self._with_noise(arrays, round_number, numbers)
        for number in numbers:
            network, rows = network_of(fold_model_of(arrays, number)), self.rows(number)
            losses.append(train(network, rows, number, round_number))
            replies[number] = WeightReply(self.name, float(len(rows)), arrays_of(network))
        return replies, losses[0]

    def _learning_rate(self, round_number: int) -> float:
        return cosine_learning_rate(self.plan.learning_rate, round_number, self.plan.rounds)

    def _without_noise(
        self, network: HeadSegmenter, rows: SegmentationRows, fold_model: int, round_number: int
    ) -> list[float]:
        return train_epochs(
            network,
            rows,
            epochs=self.plan.local_epochs,
            learning_rate=self._learning_rate(round_number),
            seed=self.seed * 1009 + round_number,
            batch_size=self.plan.batch_size,
            proximal_mu=self.plan.proximal_mu,
        )

    def _with_noise(
        self, arrays: Mapping[str, NDArray[np.float32]], round_number: int, fold_models: Sequence[int]
    ) -> Callable[[HeadSegmenter, SegmentationRows, int, int], list[float]]:
        """Enter the round in the site's ledger; return the function that trains one fold model with noise."""
        from models.ultrasound.private_training import NoiseSettings, train_private_epochs

        plan, ledger = self.plan.noise, self.ledger
        assert plan is not None
        if ledger is None:
            raise ValueError(f"site {self.name} has no ledger for a training with noise")
        key = round_key(self.plan.model_dump_json(), round_number, arrays)
        ledger.spend(key, self.privacy_steps(fold_models), plan.delta, plan.max_epsilon)
        noise = NoiseSettings(plan.noise_multiplier, plan.clipping_norm, plan.delta)

        def train(network: HeadSegmenter, rows: SegmentationRows, fold_model: int, number: int) -> list[float]:
            return train_private_epochs(
                network,
                rows,
                epochs=self.plan.local_epochs,
                learning_rate=self._learning_rate(number),
                batch_size=self.plan.batch_size,
                noise=noise,
                seed=ledger.seed(key, fold_model),
            )

        return train

    def privacy_steps(self, fold_models: Sequence[int]) -> list[tuple[float, float, int]]:
        """Privacy cost of a round for one image, over the fold models that train on it, at their highest sampling rate.

        Returns
        -------
        list of (noise multiplier, sampling rate, steps)
        """
        from models.ultrasound.private_training import sampling_rate, steps_of

        assert self.plan.noise is not None
        sizes = [int((self.fold != fold_model - 1).sum()) for fold_model in fold_models]
        rate = max(sampling_rate(size, self.plan.batch_size) for size in sizes)
        steps = max(steps_of(self.plan.local_epochs, size, self.plan.batch_size) for size in sizes)
        most = max(sum(fold != fold_model - 1 for fold_model in fold_models) for fold in range(self.plan.folds))
        return [(self.plan.noise.noise_multiplier, rate, steps * most)]

    @property
    def epsilon(self) -> float | None:
        """Epsilon of all releases in the site's ledger; None if the plan adds no noise."""
        if self.plan.noise is None or self.ledger is None:
            return None
        return self.ledger.epsilon(self.plan.noise.delta)

    def heads(self, arrays: Mapping[str, NDArray[np.float32]]) -> list[HeadEllipse]:
        """The head in each of the site's images, as found by the fold model that left the image out."""
        networks = [network_of(fold_model_of(arrays, k + 1)) for k in range(self.plan.folds)]
        return [predict_head(networks[k], record.pixels) for k, record in zip(self.fold, self.records, strict=True)]

    def errors(self, arrays: Mapping[str, NDArray[np.float32]]) -> tuple[NDArray[np.int64], dict[str, float]]:
        """Histograms of relative errors by measure and size, and sums of errors; both add over sites.

        An image in which no ellipse is found counts in the last bin of the smallest size band.
        """
        counts = empty_counts()
        sums = {"images": float(len(self.records)), "absolute-mm": 0.0, "signed-mm": 0.0, "refused": 0.0}
        for record, head in zip(self.records, self.heads(arrays), strict=True):
            references = axes_mm(record.ellipse, record.pixel_size_mm)
            estimates = axes_mm(head.ellipse, record.pixel_size_mm) if head.ellipse else dict.fromkeys(MEASURES, 0.0)
            counts += error_counts(references, estimates)
            error = estimates[HC] - record.head_circumference_mm
            sums["absolute-mm"] += abs(error)
            sums["signed-mm"] += error
            sums["refused"] += head.refusal is not None
        return counts, sums
