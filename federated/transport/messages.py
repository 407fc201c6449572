"""What messages carry: tree documents as deflated JSON, weights as named arrays."""

import json
import zlib
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from flwr.app import Array, ArrayRecord
from numpy.typing import NDArray


def encode(document: Mapping[str, Any]) -> Array:
    """A JSON document as one array of deflated bytes."""
    return Array(np.frombuffer(zlib.compress(json.dumps(document, separators=(",", ":")).encode(), 6), dtype=np.uint8))


def decode(array: Array) -> dict[str, Any]:
    """Inverse of `encode`."""
    return cast(dict[str, Any], json.loads(zlib.decompress(array.numpy().tobytes())))


def as_record(arrays: Mapping[str, NDArray[Any]]) -> ArrayRecord:
    """Named arrays as Flower's record."""
    return ArrayRecord({name: Array(np.ascontiguousarray(values)) for name, values in arrays.items()})


def as_arrays(record: ArrayRecord) -> dict[str, NDArray[Any]]:
    """Inverse of `as_record`."""
    return {name: array.numpy() for name, array in record.items()}
