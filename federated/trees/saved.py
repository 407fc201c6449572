"""The finished trees of a run, from the rounds that its folder has saved."""

import numpy as np

from federated.plan import TreePlan
from federated.run.folder import RunFolder
from federated.trees.documents import Document, concatenate
from federated.trees.rounds import assemble, best_rounds, frame_of, is_final, until_best
from federated.trees.tasks import task_of


def best_trees(run: RunFolder, modality: str, section: TreePlan) -> list[dict[int, Document]]:
    """The saved rounds, each fold model only as far as its best round."""
    # File names keep the spelling "left-out" of earlier releases.
    losses = np.array([run.results(f"{modality}-{number:05d}-left-out") for number in range(1, section.rounds + 1)])
    return until_best(run.trees(modality), best_rounds(losses, section.calibration_folds + 1))


def final_trees(run: RunFolder, modality: str, section: TreePlan) -> dict[str, Document]:
    """The finished trees of each target."""
    rounds = best_trees(run, modality, section) if section.best_round else run.trees(modality)
    finals = [
        concatenate([documents[number] for documents in rounds if number in documents])
        for number in rounds[0]
        if is_final(number, section)
    ]
    task = task_of(section)
    return assemble(frame_of(section), dict(zip(task.learners, finals, strict=True)), task.targets)
