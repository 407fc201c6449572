"""What one site does in the training of the shared representation.

Fold model 0 learns from all of the site's rows; fold models 1 to k each leave one fold out, and their predictions for
the rows that they left out are the evidence. The folds of CTG are those of the trees, the folds of scans those of the
segmenter.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from federated.plan import SharedPlan, fold_models_of
from federated.trees.site import group_folds
from federated.weights.arrays import Weights, arrays_of, load_arrays
from federated.weights.averaging import Arrays, WeightReply, cosine_learning_rate, fold_model_of, join
from models.evaluation.folds import hashed_folds
from models.representation.alignment import cell_means, class_sums, moment_sums, moments, prototypes
from models.representation.examples import CLASSES, Array, Examples, Modality, Task
from models.representation.network import SharedNetwork, parts_of
from models.representation.training import LocalTraining, Targets, embeddings, predictions, train_shared

Summaries = dict[str, Array]


@dataclass(frozen=True)
class Stage:
    """One stage of a training.

    Attributes
    ----------
    name : str
    modalities : tuple of str
        Sites with one of these take part.
    frozen : tuple of str
        Prefixes of the weights that no site changes.
    fresh_trunk : bool
        Trunk and heads start from new weights; otherwise from those of the last stage.
    align : tuple of str
        ``"prototypes"``, ``"coral"``: penalties that move embeddings closer to those of the other modalities.
    """

    name: str
    modalities: tuple[Modality, ...]
    frozen: tuple[str, ...] = ()
    fresh_trunk: bool = False
    align: tuple[str, ...] = ()


@lru_cache(maxsize=4)
def initial_network(seed: int) -> SharedNetwork:
    """A newly initialised network."""
    torch.manual_seed(seed)
    return SharedNetwork()


def initial_fold_models(plan: SharedPlan, seed: int) -> Weights:
    """The weights of all fold models at the start; they start from the same network."""
    return join(dict.fromkeys(fold_models_of(plan), arrays_of(initial_network(seed))))


def network_of(arrays: Arrays, seed: int) -> SharedNetwork:
    """The network with these weights; parts without weights keep their initial ones and are not used."""
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
        The site has no rows.
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
        measured = np.isfinite(features)
        filled = np.where(measured, features, 0.0)
        return np.array([measured.sum(axis=0), filled.sum(axis=0), (filled**2).sum(axis=0)])

    def standardise(self, sums: Array) -> None:
        """Scale the features by the sums of all sites of the modality."""
        count = np.maximum(sums[0], 1.0)
        mean = sums[1] / count
        sd = np.sqrt(np.maximum(sums[2] / count - mean**2, 1e-12))
        scaled = np.clip((self.examples.features - mean) / np.where(sd > 1e-5, sd, 1.0), -6, 6)
        self.examples = replace(self.examples, features=scaled)

    def _network(self, arrays: Arrays, fold_model: int) -> SharedNetwork:
        return network_of({**fold_model_of(arrays, fold_model), **self.personal.get(fold_model, {})}, self.base_seed)

    def train(
        self, arrays: Arrays, stage: Stage, round_number: int, summaries: Mapping[str, Array]
    ) -> tuple[dict[int, WeightReply], list[float], Summaries]:
        """Train every fold model for the local epochs.

        Parameters
        ----------
        arrays : mapping of str to ndarray
            At least the parts of the site's modality, named ``fold_model.weight``.
        stage : Stage
        round_number : int
        summaries : mapping of str to ndarray
            Sums over the embeddings of all sites in the last round (`_summaries`); empty without alignment.

        Returns
        -------
        replies : dict of int to WeightReply
            By fold model: the weights that travel.
        losses : list of float
            Losses of the batches of fold model 0.
        summaries : dict of str to ndarray
            Sums over this site's embeddings, if the stage aligns.
        """
        replies: dict[int, WeightReply] = {}
        losses: list[float] = []
        new_summaries: Summaries = {}
        for fold_model in fold_models_of(self.plan):
            network = self._network(arrays, fold_model)
            rows = self.examples.select(np.flatnonzero(self.fold != fold_model))
            batches = train_shared(
                network,
                rows,
                LocalTraining(
                    epochs=self.plan.local_epochs,
                    learning_rate=cosine_learning_rate(self.plan.learning_rate, round_number, self.plan.rounds),
                    batch_size=self.plan.batch_size,
                    proximal_mu=self.plan.proximal_mu,
                ),
                seed=(self.seed * 1009 + round_number * 31 + fold_model) % 2**31,
                targets=self._targets(stage, summaries, fold_model),
                frozen=stage.frozen,
            )
            after = arrays_of(network)
            sent = {name: values for name, values in after.items() if travels(name, self.modality, stage, self.plan)}
            replies[fold_model] = WeightReply(self.name, float(len(rows)), sent)
            if self.plan.personal_heads:
                self.personal[fold_model] = {name: values for name, values in after.items() if name.startswith("head.")}
            if stage.align and "growth" in rows.labels:
                new_summaries |= self._summaries(network, rows, fold_model)
            losses += batches if fold_model == 0 else []
        return replies, losses, new_summaries

    def _summaries(self, network: SharedNetwork, rows: Examples, fold_model: int) -> Summaries:
        embedding = embeddings(network, rows)
        return {
            f"{fold_model}.classes.{self.modality}": class_sums(embedding, rows.labels["growth"], CLASSES["growth"]),
            f"{fold_model}.moments.{self.modality}": moment_sums(embedding),
        }

    def _targets(self, stage: Stage, summaries: Mapping[str, Array], fold_model: int) -> Targets:
        def others(kind: str, own: bool) -> list[Array]:
            return [
                value
                for name, value in sorted(summaries.items())
                if name.startswith(f"{fold_model}.{kind}.") and (own or not name.endswith(f".{self.modality}"))
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

    def matched_means(self, arrays: Arrays, fold_model: int) -> list[tuple[int, Array]]:
        """Means of resampled embeddings of each growth cell, for canonical correlation."""
        rows = self.examples.select(np.flatnonzero(self.fold != fold_model))
        return cell_means(
            embeddings(self._network(arrays, fold_model), rows),
            rows.stratum,
            self.plan.cca_draws,
            self.seed + fold_model,
        )

    def out_of_fold(self, arrays: Arrays) -> dict[Task, Array]:
        """Out-of-fold log-odds of each row, by task, each of shape (n, classes)."""
        log_odds: dict[Task, Array] = {
            task: np.zeros((len(self.examples), CLASSES[task])) for task in self.examples.labels
        }
        for fold_model in fold_models_of(self.plan)[1:]:
            out = np.flatnonzero(self.fold == fold_model)
            if len(out):
                for task, values in predictions(self._network(arrays, fold_model), self.examples.select(out)).items():
                    log_odds[task][out] = values
        return log_odds


def travels(name: str, modality: Modality, stage: Stage, plan: SharedPlan) -> bool:
    """Whether a site sends this weight (named without the number of its fold model) after a round of the stage."""
    if plan.personal_heads and name.startswith("head."):
        return False
    return name.startswith(parts_of([modality])) and not name.startswith(stage.frozen)


def part_of(arrays: Mapping[str, NDArray[np.float32]], modality: Modality) -> Weights:
    """The weights of all fold models that a site with this modality is sent."""
    prefixes = parts_of([modality])
    return {name: values for name, values in arrays.items() if name.partition(".")[2].startswith(prefixes)}
