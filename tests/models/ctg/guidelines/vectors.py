"""Scripted decelerations and contractions for the guidelines' vectors."""

from dataclasses import replace
from typing import Any

from models.ctg.guidelines.findings import Findings

from models.ctg.events import Event

NORMAL = Findings()


def normal_but(**changes: Any) -> Findings:
    """A normal hour with these changes."""
    return replace(NORMAL, **changes)


def contractions(number: int, every_s: float = 240.0) -> tuple[Event, ...]:
    """Contractions of 60 s, the first at 2 min."""
    return tuple(Event(120 + every_s * i - 30, 120 + every_s * i + 30, 40, 120 + every_s * i) for i in range(number))


def with_decelerations(
    kind: str, share: float = 1.0, *, number: int = 14, duration_s: float = 50.0, every_s: float = 240.0, **changes: Any
) -> Findings:
    """Contractions, the first `share` of which have a deceleration of this kind 30 s after the acme."""
    events = contractions(number, every_s)
    downs = tuple(
        Event(c.peak_s + 10, c.peak_s + 10 + duration_s, 30, c.peak_s + 30, kind, 30.0, 15 * duration_s)
        for c in events[: round(share * number)]
    )
    return normal_but(contractions=events, decelerations=downs, **changes)


def one_deceleration(kind: str, duration_s: float, peak: float = 30.0, area_bpm_s: float = 600.0) -> Findings:
    """One deceleration with the third of fourteen contractions."""
    events = contractions(14)
    acme = events[2].peak_s
    event = Event(acme, acme + duration_s, peak, acme + 30, kind, 30.0, area_bpm_s)
    return normal_but(contractions=events, decelerations=(event,))
