"""Traces as JSON: ``{"sampling_rate_hz": 4, "fhr_bpm": [...], "toco": ..., "started_at": ...}``, and twins and mother.

A FHIR resource with sampled data is read by `models.ctg.formats.sampled_data`.
"""

import json
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.ctg.formats.channels import Channels
from models.ctg.formats.sampled_data import read as read_sampled_data
from models.errors import FormatError
from models.origin import UNKNOWN_ORIGIN, Origin

MAX_BYTES = 16 * 2**20  # a day of four channels at 4 Hz
FIELDS = ("fhr_bpm", "fhr2_bpm", "toco", "mhr_bpm")


def read(content: bytes) -> Channels:
    """Read a JSON object; null is a lost sample.

    Raises
    ------
    FormatError
        Not such an object, unequal lengths, or no sampling rate.
    """
    if len(content) > MAX_BYTES:
        raise FormatError(f"JSON trace: more than {MAX_BYTES // 2**20} MB; send only the part to be assessed")
    try:
        values = json.loads(content)
    except (ValueError, RecursionError):
        raise FormatError("JSON trace: not valid JSON") from None
    if not isinstance(values, dict):
        raise FormatError("JSON trace: an object is needed")
    if "resourceType" in values:
        return read_sampled_data(values)
    unknown = sorted(set(values) - {"sampling_rate_hz", "started_at", *FIELDS})
    if unknown:
        raise FormatError(
            f"JSON trace: unknown field {unknown[0][:40]!r}; known are sampling_rate_hz, started_at, "
            f"{', '.join(FIELDS)}"
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
    origin = Origin(_started(values["started_at"])) if values.get("started_at") is not None else UNKNOWN_ORIGIN
    return Channels(heart, float(rate), "JSON", arrays.get("toco"), arrays.get("mhr_bpm"), origin=origin)


def _started(text: Any) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise FormatError(f"JSON trace: started_at {str(text)[:40]!r} is no date and time (ISO 8601)") from None


def _array(name: str, values: Any) -> NDArray[np.float64]:
    if not isinstance(values, list):
        raise FormatError(f"JSON trace: {name} is not a list")
    try:
        if any(isinstance(value, bool | str) for value in values):
            raise TypeError
        return np.array([np.nan if value is None else float(value) for value in values], dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise FormatError(f"JSON trace: {name} contains a value that is neither a number nor null") from None
