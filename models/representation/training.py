"""Local training of the shared network, its embeddings and its predictions."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.proximal import proximal_penalty
from models.representation.alignment import Moments
from models.representation.examples import UNKNOWN, Examples, Task
from models.representation.network import SharedNetwork

Array = NDArray[np.float64]
WEIGHT_DECAY = 0.1


@dataclass(frozen=True)
class LocalTraining:
    """How a site trains in one round.

    Attributes
    ----------
    epochs, batch_size : int
    learning_rate : float
    proximal_mu : float
        Weight of the FedProx penalty; 0 is none.
    """

    epochs: int
    learning_rate: float
    batch_size: int
    proximal_mu: float = 0.0


@dataclass(frozen=True)
class Targets:
    """The prototypes and moments towards which embeddings are drawn.

    Attributes
    ----------
    prototypes : mapping of int to ndarray, shape (16,)
        Mean embedding of each growth class over all modalities.
    moments : Moments or None
        Of the other modality, for CORAL (Sun B, Saenko K. ECCV Workshops 2016).
    strength : float
    """

    prototypes: Mapping[int, Array] = field(default_factory=dict)
    moments: Moments | None = None
    strength: float = 0.0


def train_shared(
    network: SharedNetwork,
    examples: Examples,
    settings: LocalTraining,
    *,
    seed: int,
    targets: Targets,
    frozen: tuple[str, ...] = (),
) -> list[float]:
    """Train in place with AdamW on rows of one modality (features standardised) and return the loss of each batch.

    Weights whose name starts with one of `frozen` do not change.

    Raises
    ------
    ValueError
        There are no rows.
    """
    if len(examples) == 0:
        raise ValueError("a site without rows cannot train")
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)  # dropout
    network.train()
    trained = [p for name, p in network.named_parameters() if not name.startswith(frozen)]
    received = [parameter.detach().clone() for parameter in trained]
    optimiser = torch.optim.AdamW(trained, lr=settings.learning_rate, weight_decay=WEIGHT_DECAY)
    features, weight = _tensor(examples.features), _tensor(examples.weight)
    labels: dict[Task, Tensor] = {task: torch.from_numpy(label) for task, label in examples.labels.items()}
    losses = []
    for _ in range(settings.epochs):
        for batch in torch.split(torch.randperm(len(examples), generator=generator), settings.batch_size):
            embedding = network.embed(examples.modality, features[batch])
            scores = network.scores(examples.modality, embedding)
            loss = torch.stack([_loss(scores[task], labels[task][batch], weight[batch]) for task in scores]).sum()
            losses.append(float(loss.detach()))
            if targets.strength > 0 and "growth" in labels:
                loss = loss + targets.strength * _alignment(embedding, labels["growth"][batch], targets)
            if settings.proximal_mu > 0:
                loss = loss + proximal_penalty(trained, received, settings.proximal_mu)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(trained, 5.0)
            optimiser.step()
    return losses


def _tensor(values: Array) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))


def _loss(scores: Tensor, label: Tensor, weight: Tensor) -> Tensor:
    """Weighted cross-entropy of the rows that have a label; 0 where none has."""
    labelled = label != UNKNOWN
    each = nn.functional.cross_entropy(scores, label.clamp(min=0), reduction="none")
    return (each * weight * labelled).sum() / (weight * labelled).sum().clamp(min=1e-6)


def _alignment(embedding: Tensor, growth: Tensor, targets: Targets) -> Tensor:
    parts = []
    for label, prototype in targets.prototypes.items():
        rows = embedding[growth == label]
        if len(rows):
            parts.append((rows - _tensor(prototype)).square().mean())
    if targets.moments is not None and len(embedding) > 2:
        mean = embedding.mean(dim=0)
        covariance = (embedding - mean).T @ (embedding - mean) / (len(embedding) - 1)
        parts.append((mean - _tensor(targets.moments.mean)).square().mean())
        parts.append((covariance - _tensor(targets.moments.covariance)).square().mean() / 4)
    return torch.stack(parts).sum() if parts else embedding.new_zeros(())


def embeddings(network: SharedNetwork, examples: Examples) -> Array:
    """The embeddings of the rows, shape (n, 16)."""
    network.eval()
    with torch.inference_mode():
        return network.embed(examples.modality, _tensor(examples.features)).numpy().astype(np.float64)


def predictions(network: SharedNetwork, examples: Examples) -> dict[Task, Array]:
    """Log-odds by task, each of shape (n, classes)."""
    network.eval()
    with torch.inference_mode():
        embedding = network.embed(examples.modality, _tensor(examples.features))
        scores = network.scores(examples.modality, embedding)
        return {task: values.numpy().astype(np.float64) for task, values in scores.items()}
