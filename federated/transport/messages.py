"""What messages carry: trees as deflated JSON, weights as named arrays; and the mod that makes updates smaller."""

import json
import zlib
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from flwr.app import Array, ArrayRecord, Context, Message
from flwr.clientapp.typing import ClientAppCallable
from numpy.typing import NDArray

from federated.plan import CompressionPlan
from federated.trees.documents import Document
from federated.weights.compression import pack, rounding_seed


def encode(document: Document) -> Array:
    """A tree document as one array of deflated JSON bytes."""
    return Array(np.frombuffer(zlib.compress(json.dumps(document, separators=(",", ":")).encode(), 6), dtype=np.uint8))


def decode(array: Array) -> Document:
    """Inverse of `encode`."""
    return cast(Document, json.loads(zlib.decompress(array.numpy().tobytes())))


def as_record(arrays: Mapping[str, NDArray[Any]]) -> ArrayRecord:
    """Named arrays as Flower's record."""
    return ArrayRecord({name: Array(np.ascontiguousarray(values)) for name, values in arrays.items()})


def as_arrays(record: ArrayRecord) -> dict[str, NDArray[Any]]:
    """Inverse of `as_record`."""
    return {name: array.numpy() for name, array in record.items()}


def compressed(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """Flower mod: the weights of a reply become a compressed update of those received; the server unpacks them.

    What top-k holds back stays in the node's state until the next round.
    """
    received = as_arrays(message.content["model"])
    config = message.content["config"]
    plan = CompressionPlan.model_validate_json(str(config["compression"]))
    reply = call_next(message, context)
    if reply.has_error() or plan.kind == "none":
        return reply
    kept = {} if config["fresh"] or "residual" not in context.state else as_arrays(context.state["residual"])
    residuals = {int(lane): values for lane, values in kept.items()}
    seed = rounding_seed(int(context.node_config["partition-id"]), int(config["round"]))
    packed = pack(as_arrays(reply.content["model"]), received, plan, seed, residuals)
    reply.content["model"] = as_record(packed)
    context.state["residual"] = as_record({str(lane): values for lane, values in residuals.items()})
    return reply
