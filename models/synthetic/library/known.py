"""What is known of a trace of the library: its content, and the answers that it allows.

The allowed answers follow from the guidelines' definitions and from the rules of the state (ADR 20), not from what the
program says. Severities: 0 normal or category I, 1 suspicious or II, 2 pathological or III, None for "cannot tell".
"""

from collections.abc import Callable
from dataclasses import dataclass

from models.ctg.recording import CtgRecording
from models.synthetic.scenes import Scene

Severity = int | None
ANY: frozenset[Severity] = frozenset({0, 1, 2, None})
NORMAL: frozenset[Severity] = frozenset({0})
NOT_NORMAL: frozenset[Severity] = frozenset({1, 2, None})
AT_LEAST_1: frozenset[Severity] = frozenset({1, 2})
WORST: frozenset[Severity] = frozenset({2})
Allowed = tuple[frozenset[Severity], frozenset[Severity], frozenset[Severity]]
FINE: Allowed = (NORMAL, NORMAL, NORMAL)
UNSURE: Allowed = (NOT_NORMAL, NOT_NORMAL, NOT_NORMAL)
GRAVE: Allowed = (WORST, AT_LEAST_1, WORST)
ALARMING: Allowed = (AT_LEAST_1, AT_LEAST_1, WORST)
HIGH, ALARM = frozenset({"high"}), frozenset({"high", "raised"})
NOT_LOW = frozenset({"high", "raised", "undecided", "cannot assess"})
WELL = frozenset({"low", "undecided"})
DOUBT = frozenset({"undecided", "cannot assess"})
CANNOT = frozenset({"cannot assess"})


@dataclass(frozen=True)
class KnownTrace:
    """A trace and what may be said of it.

    Attributes
    ----------
    name, content : str
    make : callable
        Makes the recording.
    states : frozenset of str
        Allowed states of the CTG alone.
    rules : tuple of frozenset of (int or None)
        Allowed severities of FIGO, NICHD and NICE; not asked of antepartum traces.
    stage : {"labour", "antepartum", "unknown"}
    age_days : int
    """

    name: str
    content: str
    make: Callable[[], CtgRecording]
    states: frozenset[str]
    rules: Allowed = (ANY, ANY, ANY)
    stage: str = "labour"
    age_days: int = 280


def calm(
    minutes: float = 60.0, bpm: float = 138.0, variability: float = 11.0, seed: int = 1, every_s: float = 180.0
) -> Scene:
    """A normal trace with accelerations."""
    return Scene(minutes, seed, every_s).level((0.0, bpm)).vary(variability).accelerate()


def plain(
    minutes: float = 60.0, bpm: float = 145.0, variability: float = 8.0, seed: int = 2, every_s: float = 180.0
) -> Scene:
    """A trace without accelerations."""
    return Scene(minutes, seed, every_s).level((0.0, bpm)).vary(variability)
