"""The weights of a network as named arrays, and back; sites send them in this form."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

Weights = dict[str, NDArray[np.float32]]


def arrays_of(network: nn.Module) -> Weights:
    """Copies of the weights, by name."""
    return {name: np.array(tensor.detach().numpy(), order="C") for name, tensor in network.state_dict().items()}


def load_arrays(network: nn.Module, arrays: Mapping[str, NDArray[np.float32]]) -> None:
    """Set all weights of the network."""
    network.load_state_dict({name: torch.from_numpy(np.array(values)) for name, values in arrays.items()})
