"""FedProx: the penalty that keeps local weights near the weights received from the server."""

from collections.abc import Iterable

import torch
from torch import Tensor


def proximal_penalty(parameters: Iterable[Tensor], received: Iterable[Tensor], mu: float) -> Tensor:
    """mu / 2 times the squared distance from the received weights (Li T et al. MLSys 2020)."""
    pairs = zip(parameters, received, strict=True)
    return mu / 2 * torch.stack([(local - start).square().sum() for local, start in pairs]).sum()
