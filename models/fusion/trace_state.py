"""What a trace alone says of the state: findings, rule sets, signal, and every condition of *low* that it misses.

It is computed once from the reading and stored with the result, so that a correction of the scan does not read the
trace again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.ctg.guidelines import GuidelineClass, dawes_redman, nst
from models.ctg.guidelines.alarms import (
    alarming,
    counted_now,
    flat_without_labour,
    preterminal,
    questionable,
    urgent,
)
from models.ctg.guidelines.criteria import Criterion
from models.ctg.guidelines.figo import FIGO
from models.ctg.guidelines.measures import repetitions
from models.ctg.guidelines.nice import concerning
from models.ctg.guidelines.nichd import NICHD
from models.ctg.reading import Reading
from models.ctg.reading.events import nice_kind

TERM_DAYS = 37 * 7
JUDGED_S, RECENT_S, LAST_S = 3600.0, 1800.0, 600.0
LEAST_READABLE_S, READABLE_RECENT_S, READABLE_LAST_S = 600.0, 1200.0, 300.0
# In labour a tocogram that works for half of the last half hour; no deceleration lies where it does not.
CONTRACTIONS_KNOWN = 0.5
SIGNAL = "the trace"
Lines = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class TraceState:
    """What the trace asks for.

    Attributes
    ----------
    high, raised : tuple of (basis, reason)
        Findings that mean these states; the basis is ``"the trace"`` or a rule set.
    unreadable : str
        Why the trace cannot be judged at all; empty if it can.
    against_low : tuple of (reason, what would settle it)
        Conditions of *low* that are not met.
    for_low : tuple of str
        The classes of the rule sets.
    reactive : str
        Of an antepartum trace: the accelerations that make it reactive, if nothing on it speaks against that; else
        empty.
    """

    high: Lines = ()
    raised: Lines = ()
    unreadable: str = ""
    against_low: Lines = ()
    for_low: tuple[str, ...] = ()
    reactive: str = ""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "TraceState":
        """From JSON, where pairs are lists."""
        high, raised, against = (
            tuple((first, second) for first, second in values[name]) for name in ("high", "raised", "against_low")
        )
        return cls(high, raised, values["unreadable"], against, tuple(values["for_low"]), values.get("reactive", ""))


def trace_state(
    reading: Reading, guidelines: Sequence[GuidelineClass], stage: str, age_days: float | None
) -> TraceState:
    """Judge a reading.

    Parameters
    ----------
    stage : {"labour", "antepartum", "unknown"}
    age_days : float or None
        Gestational age.
    """
    end = reading.duration_s
    high = [(SIGNAL, words) for words in counted_now(urgent(reading), end)]
    high += [
        (answer.rules, f"{answer.rules} {answer.label}: {answer.criteria[0]}")
        for answer in guidelines
        if answer.rules in (FIGO.rules, NICHD.rules) and answer.severity == 2
    ]
    raised = [(SIGNAL, words) for words in counted_now(alarming(reading, stage), end)]
    if stage == "antepartum":
        without_labour = [*preterminal(reading), *flat_without_labour(reading)]
        raised += [(SIGNAL, words) for words in counted_now(without_labour, end)]
    for_low = [f"{answer.rules} {answer.label}" for answer in guidelines]
    if age_days is None:
        for_low.append("gestational age not stated: this holds from 37+0 weeks on")
    return TraceState(
        tuple(high),
        tuple(raised),
        _unreadable(reading),
        tuple(_against_low(reading, guidelines, stage, age_days)),
        tuple(for_low),
        _reactive(reading, guidelines) if stage == "antepartum" else "",
    )


def _reactive(reading: Reading, guidelines: Sequence[GuidelineClass]) -> str:
    """The accelerations of a reactive trace, if its signal is good and nothing on it speaks against that."""
    end = reading.duration_s
    test = next(answer for answer in guidelines if answer.rules == nst.RULES)
    computed = next(answer for answer in guidelines if answer.rules == dawes_redman.RULES)
    readable = reading.readable_share(max(0.0, end - RECENT_S), end) * min(RECENT_S, end) >= LEAST_READABLE_S
    doubtful = reading.doubts or counted_now(questionable(reading), end)
    if test.severity != 0 or computed.severity not in (0, None) or not readable or doubtful:
        return ""
    return test.criteria[0]


def _unreadable(reading: Reading) -> str:
    end = reading.duration_s
    start = max(0.0, end - JUDGED_S)
    share = reading.readable_share(start, end)
    if not np.isfinite(reading.grid_bpm).any():
        return "the trace contains no fetal heart rate"
    if share * (end - start) < LEAST_READABLE_S:
        return f"only {share * (end - start) / 60:.1f} min of heart rate can be read; at least 10 are needed"
    if share < 0.5:
        name = "last hour" if end > JUDGED_S else "trace"
        return f"{1 - share:.0%} of the signal of the {name} is lost; with more than half lost it cannot be judged"
    return ""


def _against_low(
    reading: Reading, guidelines: Sequence[GuidelineClass], stage: str, age_days: float | None
) -> list[tuple[str, str]]:
    end = reading.duration_s
    unmet = []
    if reading.readable_share(end - LAST_S, end) < READABLE_LAST_S / LAST_S:
        unmet.append(("less than 5 of the last 10 min can be read", "Restore the signal."))
    if reading.readable_share(end - RECENT_S, end) < READABLE_RECENT_S / RECENT_S:
        unmet.append(("less than 20 of the last 30 min can be read", "Restore the signal and record for longer."))
    unmet += [(words, "Watch the next contractions.") for words in counted_now(questionable(reading), end)]
    doubted = [Criterion("open", doubt.words, doubt.span) for doubt in reading.doubts]
    unmet += [(words, "Compare with the mother's pulse.") for words in counted_now(doubted, end)]
    if stage == "unknown":
        unmet.append(("it was not stated whether the woman is in labour", "State the stage."))
    for answer in guidelines:
        reason = _rules_against_low(answer, reading)
        if reason:
            unmet.append((reason, _settles(answer)))
    if stage == "labour":
        known = reading.contractions_known[int(max(0.0, end - RECENT_S)) :]
        if not len(known) or known.mean() < CONTRACTIONS_KNOWN:
            unmet.append(("the contractions of more than half of the last 30 min are not known", "Check the tocogram."))
    if age_days is not None and age_days < TERM_DAYS:
        unmet.append(("before 37+0 weeks neither the rule sets nor the model are validated", "A specialist reads it."))
    return unmet


def _settles(answer: GuidelineClass) -> str:
    if answer.rules == nst.RULES:
        return "" if answer.severity is None else "Look at the fetus: ultrasound and Dopplers."
    if answer.severity is not None:
        return ""
    if answer.rules == dawes_redman.RULES:
        return "State movements and high variation."
    return "Complete what the rule set cannot judge."


def _rules_against_low(answer: GuidelineClass, reading: Reading) -> str:
    """Why this rule set does not allow *low*; empty if it does."""
    if answer.severity == 0 or (answer.rules == NICHD.rules and answer.severity == 1):
        return ""
    if answer.severity is None:
        return f"{answer.rules} {answer.label}: {(*answer.not_judged, *answer.criteria)[0]}"
    if answer.severity == 1 and answer.rules == FIGO.rules and _only_mild_decelerations(answer, reading):
        return ""
    if answer.severity == 1 and all("contractions in 10 min" in w or "hypertonus" in w for w in answer.criteria):
        return ""  # NICE amber by contractions alone
    return f"{answer.rules} {answer.label}: {answer.criteria[0]}"


def _only_mild_decelerations(answer: GuidelineClass, reading: Reading) -> bool:
    """Suspicious by repetitive decelerations alone, and late, prolonged or concerning ones are not repetitive."""
    if not all(words.startswith("repetitive decelerations") for words in answer.criteria):
        return False
    recent = [event for event in reading.decelerations if event.end_s > reading.duration_s - RECENT_S]
    grave = [event for event in recent if nice_kind(event) in ("late", "prolonged") or concerning(event)]
    return not repetitions(reading.contractions, grave)
