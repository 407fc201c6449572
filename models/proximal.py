"""What the training of both networks has in common."""

from collections.abc import Iterable

import torch
from torch import Tensor


def proximal_penalty(parameters: Iterable[Tensor], received: Iterable[Tensor], mu: float) -> Tensor:
    """FedProx: mu / 2 times the squared distance from the received weights (Li T et al. MLSys 2020)."""
    pairs = zip(parameters, received, strict=True)
    return mu / 2 * torch.stack([(now - then).square().sum() for now, then in pairs]).sum()
