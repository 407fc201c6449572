"""What one site does for the shared representation.

Lane 0 learns from all of its rows, lane i > 0 leaves fold i out; what lanes 1..k say of the rows that they left out is
the evidence. Folds of CTG are those of the trees, folds of scans those of the segmenter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from federated.plan import SharedPlan, lanes_of
from federated.trees.site import group_folds
from federated.weights.arrays import Weights, arrays_of, load_arrays
from federated.weights.averaging import Arrays, WeightReply, cosine_learning_rate, join, lane_of
from models.evaluation.folds import hashed_folds
from models.representation.alignment import cell_means, class_sums, moment_sums, moments, prototypes
from models.representation.examples import CLASSES, Array, Examples, Modality, Task
from models.representation.network import SharedNetwork, parts_of
from models.representation.training import LocalTraining, Targets, embeddings, predictions, train_shared

Summaries = dict[str, Array]


@dataclass(frozen=True)
class Stage:
    """A part of a training.

    Attributes
    ----------
    name : str
    modalities : tuple of str
        Sites that hold one of them take part.
    frozen : tuple of str
        Prefixes of weights that nobody changes.
    fresh_trunk : bool
        Trunk and heads start anew; otherwise from what the last stage left.
    align : tuple of str
        ``"prototypes"``, ``"coral"``: draws embeddings to those of the other modalities.
    """

    name: str
    modalities: tuple[Modality, ...]
    frozen: tuple[str, ...] = ()
    fresh_trunk: bool = False
    align: tuple[str, ...] = ()


@lru_cache(maxsize=4)
def initial_network(seed: int) -> SharedNetwork:
    """Freshly initialised."""
    torch.manual_seed(seed)
    return SharedNetwork()


def initial_lanes(plan: SharedPlan, seed: int) -> Weights:
    """Every lane starts from the same network."""
    return join(dict.fromkeys(lanes_of(plan), arrays_of(initial_network(seed))))


def network_of(arrays: Arrays, seed: int) -> SharedNetwork:
    """The network with these weights; parts that are not among them are as initialised, and not used."""
    network = SharedNetwork()
    load_arrays(network, {**arrays_of(initial_network(seed)), **arrays})
    return network


class SharedSite:
    """One site's rows of one modality.

    Parameters
    ----------
    name : str
    examples : Examples
    plan : SharedPlan
    seed : int

    Raises
    ------
    ValueError
        There is nothing to train on.
    """

    def __init__(self, name: str, examples: Examples, plan: SharedPlan, *, seed: int) -> None:
        if len(examples) == 0:
            raise ValueError(f"site {name} has no rows of {examples.modality} to train on")
        self.name, self.plan, self.base_seed = name, plan, seed
        self.seed = seed + sum(name.encode())
        self.examples = examples
        self.modality = examples.modality
        if examples.modality == "scan":
            self.fold = hashed_folds(examples.group, plan.folds) + 1
        else:
            task: Task = "state" if examples.modality == "table" else "acidaemia"
            self.fold = group_folds(examples.group, examples.labels[task], plan.folds)
        self.personal: dict[int, Weights] = {}

    def feature_sums(self) -> Array:
        """Count, sum and sum of squares of each measured feature, shape (3, columns). They add over sites."""
        features = self.examples.features
        known = np.isfinite(features)
        filled = np.where(known, features, 0.0)
        return np.array([known.sum(axis=0), filled.sum(axis=0), (filled**2).sum(axis=0)])

    def standardise(self, sums: Array) -> None:
        """Scale the features by the sums of all sites of the modality."""
        count = np.maximum(sums[0], 1.0)
        mean = sums[1] / count
        sd = np.sqrt(np.maximum(sums[2] / count - mean**2, 1e-12))
        scaled = np.clip((self.examples.features - mean) / np.where(sd > 1e-5, sd, 1.0), -6, 6)
        one = self.examples
        self.examples = Examples(one.modality, scaled, one.labels, one.weight, one.group, one.stratum)

    def _network(self, arrays: Arrays, lane: int) -> SharedNetwork:
        return network_of({**lane_of(arrays, lane), **self.personal.get(lane, {})}, self.base_seed)

    def train(
        self, arrays: Arrays, stage: Stage, round_number: int, summaries: Mapping[str, Array]
    ) -> tuple[dict[int, WeightReply], list[float], Summaries]:
        """Local epochs of every lane.

        Parameters
        ----------
        arrays : mapping of str to ndarray
            At least the parts of the site's modality, named ``lane.weight``.
        stage : Stage
        round_number : int
        summaries : mapping of str to ndarray
            Sums of the last round over all sites (`_summaries`); empty without alignment.

        Returns
        -------
        replies : dict of int to WeightReply
            By lane: the weights that travel.
        losses : list of float
            Of the batches of lane 0.
        summaries : dict of str to ndarray
            Of this site's embeddings, if the stage aligns.
        """
        replies: dict[int, WeightReply] = {}
        losses: list[float] = []
        made: Summaries = {}
        for lane in lanes_of(self.plan):
            network = self._network(arrays, lane)
            rows = self.examples.select(np.flatnonzero(self.fold != lane))
            batches = train_shared(
                network,
                rows,
                LocalTraining(
                    epochs=self.plan.local_epochs,
                    learning_rate=cosine_learning_rate(self.plan.learning_rate, round_number, self.plan.rounds),
                    batch_size=self.plan.batch_size,
                    proximal_mu=self.plan.proximal_mu,
                ),
                seed=(self.seed * 1009 + round_number * 31 + lane) % 2**31,
                targets=self._targets(stage, summaries, lane),
                frozen=stage.frozen,
            )
            after = arrays_of(network)
            sent = {name: values for name, values in after.items() if travels(name, self.modality, stage, self.plan)}
            replies[lane] = WeightReply(self.name, float(len(rows)), sent)
            if self.plan.personal_heads:
                self.personal[lane] = {name: values for name, values in after.items() if name.startswith("head.")}
            if stage.align and "growth" in rows.labels:
                made |= self._summaries(network, rows, lane)
            losses += batches if lane == 0 else []
        return replies, losses, made

    def _summaries(self, network: SharedNetwork, rows: Examples, lane: int) -> Summaries:
        embedding = embeddings(network, rows)
        return {
            f"{lane}.classes.{self.modality}": class_sums(embedding, rows.labels["growth"], CLASSES["growth"]),
            f"{lane}.moments.{self.modality}": moment_sums(embedding),
        }

    def _targets(self, stage: Stage, summaries: Mapping[str, Array], lane: int) -> Targets:
        def others(kind: str, own: bool) -> list[Array]:
            return [
                value
                for name, value in sorted(summaries.items())
                if name.startswith(f"{lane}.{kind}.") and (own or not name.endswith(f".{self.modality}"))
            ]

        if not stage.align:
            return Targets()
        classes = others("classes", own=True) if "prototypes" in stage.align else []
        spread = others("moments", own=False) if "coral" in stage.align else []
        return Targets(
            prototypes(np.sum(classes, axis=0)) if classes else {},
            moments(np.sum(spread, axis=0)) if spread else None,
            self.plan.align_strength,
        )

    def matched_means(self, arrays: Arrays, lane: int) -> list[tuple[int, Array]]:
        """Resampled means of the embeddings of each growth cell, for canonical correlation."""
        rows = self.examples.select(np.flatnonzero(self.fold != lane))
        return cell_means(
            embeddings(self._network(arrays, lane), rows), rows.stratum, self.plan.cca_draws, self.seed + lane
        )

    def left_out(self, arrays: Arrays) -> dict[Task, Array]:
        """Log-odds of each row by the lane that left it out, by task, each of shape (n, classes)."""
        made: dict[Task, Array] = {task: np.zeros((len(self.examples), CLASSES[task])) for task in self.examples.labels}
        for lane in lanes_of(self.plan)[1:]:
            out = np.flatnonzero(self.fold == lane)
            if len(out):
                for task, values in predictions(self._network(arrays, lane), self.examples.select(out)).items():
                    made[task][out] = values
        return made


def travels(name: str, modality: Modality, stage: Stage, plan: SharedPlan) -> bool:
    """Whether a site sends this weight (named without its lane) after a round of the stage."""
    if plan.personal_heads and name.startswith("head."):
        return False
    return name.startswith(parts_of([modality])) and not name.startswith(stage.frozen)


def part_of(arrays: Mapping[str, NDArray[np.float32]], modality: Modality) -> Weights:
    """The weights (with their lanes) that a site with this modality is sent."""
    prefixes = parts_of([modality])
    return {name: values for name, values in arrays.items() if name.partition(".")[2].startswith(prefixes)}
