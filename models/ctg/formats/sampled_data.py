"""Traces as FHIR R4 sampled data (https://hl7.org/fhir/R4/datatypes.html#SampledData).

An Observation with `valueSampledData` or with components, or a Bundle of Observations. The fetal heart rate is LOINC
55283-6, or what its code says in words.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.ctg.formats.channels import Channels
from models.ctg.formats.labels import label_of
from models.errors import FormatError
from models.origin import Origin, identity

Array = NDArray[np.float64]
FETAL_HEART_RATE = "55283-6"
KINDS = ("fhr1", "fhr2", "toco", "mhr")
_LOST = {"E", "U", "L"}
_PER_SECOND = {"s": 1.0, "ms": 0.001, "min": 60.0}


def read(resource: Mapping[str, Any]) -> Channels:
    """Read an Observation, or a Bundle of Observations that begin together.

    Raises
    ------
    FormatError
        Nothing of it is a fetal heart rate, or the sampled data are damaged or unlike each other.
    """
    channels: dict[str, Array] = {}
    rates: set[float] = set()
    starts: set[datetime] = set()
    subjects: set[str] = set()
    for observation in _observations(resource):
        for code, sampled in _sampled(observation):
            kind = _kind(code)
            if kind is None:
                continue
            if kind == "fhr1" and "fhr1" in channels:
                kind = "fhr2"
            if kind in channels:
                raise FormatError(f"FHIR: {kind} occurs twice")
            channels[kind], rate = _values(sampled)
            rates.add(rate)
        if start := _start(observation):
            starts.add(start)
        if reference := _subject(observation):
            subjects.add(reference)
    heart = {number: channels[f"fhr{number}"] for number in (1, 2) if f"fhr{number}" in channels}
    if not heart:
        raise FormatError(f"FHIR: no sampled data of the fetal heart rate (LOINC {FETAL_HEART_RATE})")
    if len(rates) > 1 or len({len(values) for values in channels.values()}) > 1:
        raise FormatError("FHIR: the channels differ in period or length")
    if len(starts) > 1 or len(subjects) > 1:
        raise FormatError("FHIR: the observations differ in start or subject; send one recording")
    who = identity(subjects.pop(), "FHIR reference") if subjects else None
    origin = Origin(starts.pop() if starts else None, who)
    return Channels(heart, rates.pop(), "FHIR", channels.get("toco"), channels.get("mhr"), origin=origin)


def _observations(resource: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    kind = resource.get("resourceType")
    if kind == "Observation":
        yield resource
    elif kind == "Bundle":
        for entry in _list(resource.get("entry")):
            inner = entry.get("resource") if isinstance(entry, dict) else None
            if isinstance(inner, dict) and inner.get("resourceType") == "Observation":
                yield inner
    else:
        raise FormatError(f"FHIR: a {str(kind)[:40]} holds no trace; send an Observation or a Bundle")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _sampled(observation: Mapping[str, Any]) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    for part in (observation, *_list(observation.get("component"))):
        if isinstance(part, dict) and isinstance(part.get("valueSampledData"), dict):
            yield part.get("code"), part["valueSampledData"]


def _kind(code: Any) -> str | None:
    if not isinstance(code, dict):
        return None
    codings = [coding for coding in _list(code.get("coding")) if isinstance(coding, dict)]
    if any(coding.get("code") == FETAL_HEART_RATE for coding in codings):
        return "fhr1"
    words = [code.get("text"), *(coding.get(key) for coding in codings for key in ("display", "code"))]
    kinds = (label_of(word).kind for word in words if isinstance(word, str))
    return next((kind for kind in kinds if kind in KINDS), None)


def _values(sampled: Mapping[str, Any]) -> tuple[Array, float]:
    """Samples in their unit, and the sampling rate, Hz."""
    try:
        period = sampled.get("period", sampled.get("interval"))
        unit = str(sampled.get("intervalUnit", "ms"))
        rate = 1.0 / (float(period) * _PER_SECOND[unit])
        origin = float((sampled.get("origin") or {}).get("value", 0.0))
        factor = float(sampled.get("factor", 1.0))
        if int(sampled.get("dimensions", 1)) != 1:
            raise FormatError("FHIR: sampled data of several dimensions; send one channel each")
        words = str(sampled["data"]).split()
        values = np.array([np.nan if word in _LOST else float(word) for word in words])
    except FormatError:
        raise
    except (KeyError, TypeError, ValueError, ZeroDivisionError, AttributeError):
        raise FormatError("FHIR: sampled data need a period and data of numbers, E, U and L") from None
    return origin + factor * values, rate


def _start(observation: Mapping[str, Any]) -> datetime | None:
    period = observation.get("effectivePeriod")
    text = observation.get("effectiveDateTime") or observation.get("effectiveInstant")
    text = text or (period.get("start") if isinstance(period, dict) else None)
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) and "T" in text else None
    except ValueError:
        raise FormatError(f"FHIR: {str(text)[:40]!r} is no date and time") from None


def _subject(observation: Mapping[str, Any]) -> str:
    subject = observation.get("subject")
    return str(subject.get("reference") or "") if isinstance(subject, dict) else ""
