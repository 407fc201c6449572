"""An encoder a modality, a trunk that all share, a head a task. Layer normalisation keeps no running statistics."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from models.representation.examples import CLASSES, COLUMNS, TASKS, Modality, Task

WIDTH, EMBEDDING = 48, 16
# Many noisy measurements are better seen in part; size for age needs every one of its few.
DROPOUT: dict[Modality, float] = {"table": 0.2, "trace": 0.3, "scan": 0.0}


class SharedNetwork(nn.Module):
    """The whole network; a site trains only the parts that it has data for.

    Part names: ``encoder.<modality>``, ``trunk``, ``head.<task>``.
    """

    def __init__(self) -> None:
        super().__init__()
        encoders: dict[str, nn.Module] = {m: _encoder(2 * len(names), DROPOUT[m]) for m, names in COLUMNS.items()}
        self.encoder = nn.ModuleDict(encoders)
        self.trunk = nn.Sequential(
            nn.SiLU(), nn.Linear(EMBEDDING, WIDTH), nn.LayerNorm(WIDTH), nn.SiLU(), nn.Linear(WIDTH, EMBEDDING)
        )
        self.head = nn.ModuleDict({task: nn.Linear(EMBEDDING, classes) for task, classes in CLASSES.items()})

    def embed(self, modality: Modality, features: Tensor) -> Tensor:
        """Standardised features with NaN, shape (n, columns), to embeddings, shape (n, 16)."""
        missing = torch.isnan(features)
        filled = torch.where(missing, 0.0, features)
        return self.encoder[modality](torch.cat([filled, missing.float()], dim=1))  # type: ignore[no-any-return]

    def scores(self, modality: Modality, embedding: Tensor) -> Mapping[Task, Tensor]:
        """Log-odds by task, each of shape (n, classes)."""
        hidden = embedding + self.trunk(embedding)
        return {task: self.head[task](hidden) for task in TASKS[modality]}


def _encoder(inputs: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Dropout(dropout), nn.Linear(inputs, WIDTH), nn.LayerNorm(WIDTH), nn.SiLU(), nn.Linear(WIDTH, EMBEDDING)
    )


def parts_of(modalities: Iterable[Modality]) -> tuple[str, ...]:
    """Prefixes of the weights that a site with these modalities trains."""
    present = list(modalities)
    encoders = [f"encoder.{modality}." for modality in present]
    heads = sorted({f"head.{task}." for modality in present for task in TASKS[modality]})
    return (*encoders, "trunk.", *heads)
