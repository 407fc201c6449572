"""The trained segmenter as ONNX (for serving) and safetensors (for further training)."""

import contextlib
import io
import logging
import tempfile
import warnings
from pathlib import Path

import onnx
import safetensors.torch
import torch

from models.ultrasound.image import NETWORK_HEIGHT, NETWORK_WIDTH
from models.ultrasound.network import HeadSegmenter


def to_onnx(network: HeadSegmenter) -> bytes:
    """ONNX bytes with input ``images`` (batch, 1, 128, 192) in [0, 1] and output ``logits``."""
    network.eval()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it remarks that torchvision is absent
    example = torch.zeros(2, 1, NETWORK_HEIGHT, NETWORK_WIDTH)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        path = Path(folder) / "network.onnx"
        torch.onnx.export(
            network,
            (example,),
            path,
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes={"images": {0: torch.export.Dim("batch", min=1, max=64)}},
            external_data=False,
            verbose=False,
        )
        return _without_origins(path)


def _without_origins(path: Path) -> bytes:
    """The model without the exporter's notes, which hold source lines and paths of the machine that trained it."""
    model = onnx.load(path)
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]
        part.doc_string = ""
    return bytes(model.SerializeToString())


def to_safetensors(network: HeadSegmenter) -> bytes:
    """Weights by name."""
    return bytes(safetensors.torch.save(network.state_dict()))


def from_safetensors(content: bytes) -> HeadSegmenter:
    """The network with these weights."""
    network = HeadSegmenter()
    network.load_state_dict(safetensors.torch.load(content))
    return network
