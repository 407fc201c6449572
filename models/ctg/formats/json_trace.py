"""Traces as JSON: ``{"sampling_rate_hz": 4, "fhr_bpm": [...], "fhr2_bpm": ..., "toco": ..., "mhr_bpm": ...}``."""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.ctg.formats.channels import Channels
from models.errors import FormatError

FIELDS = ("fhr_bpm", "fhr2_bpm", "toco", "mhr_bpm")


def read(content: bytes) -> Channels:
    """Read a JSON object; null is a lost sample.

    Raises
    ------
    FormatError
        Not such an object, unequal lengths, or no sampling rate.
    """
    try:
        values = json.loads(content)
    except (ValueError, RecursionError):
        raise FormatError("JSON trace: not valid JSON") from None
    if not isinstance(values, dict):
        raise FormatError("JSON trace: an object is needed")
    unknown = sorted(set(values) - {"sampling_rate_hz", *FIELDS})
    if unknown:
        raise FormatError(
            f"JSON trace: unknown field {unknown[0][:40]!r}; known are sampling_rate_hz, {', '.join(FIELDS)}"
        )
    rate = values.get("sampling_rate_hz")
    if isinstance(rate, bool) or not isinstance(rate, int | float):
        raise FormatError("JSON trace: sampling_rate_hz is not stated")
    arrays = {name: _array(name, values[name]) for name in FIELDS if values.get(name) is not None}
    if len({len(array) for array in arrays.values()}) > 1:
        raise FormatError("JSON trace: the channels differ in length")
    heart = {number: arrays[name] for number, name in ((1, "fhr_bpm"), (2, "fhr2_bpm")) if name in arrays}
    if not heart:
        raise FormatError("JSON trace: no fhr_bpm")
    return Channels(heart, float(rate), "JSON", arrays.get("toco"), arrays.get("mhr_bpm"))


def _array(name: str, values: Any) -> NDArray[np.float64]:
    if not isinstance(values, list):
        raise FormatError(f"JSON trace: {name} is not a list")
    try:
        if any(isinstance(value, bool | str) for value in values):
            raise TypeError
        return np.array([np.nan if value is None else float(value) for value in values], dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise FormatError(f"JSON trace: {name} contains a value that is neither a number nor null") from None
