"""The judgement in few words: what a doctor reads before anything is unfolded.

What the trace shows now, why the state is what it is, what is not trustworthy, the verdict on growth, what is missing.
Everything else of the answer folds under it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models.fusion.growth import NONE_GIVEN
from models.fusion.state import REACTIVE

SHOWN_WORDS = 20
APART_BPM = 15.0
NOT_REASSURING = "Not reassuring, read the trace:"
ALL_CLEAR = "Not an all-clear: no rule set and no score objects."
NO_MATERNAL_RATE = "No maternal heart rate"


@dataclass(frozen=True)
class Judgement:
    """The lines of the judgement; empty ones are not shown.

    Attributes
    ----------
    now : str
        What the trace shows now.
    heading : str
        Before the reasons.
    reasons, more : tuple of str
        Of the state: those shown, and those that fold.
    settles : str
        What would settle an undecided state.
    doubts : tuple of str
        What is not trustworthy.
    growth, because : str
        The verdict and its reason.
    findings : tuple of str
        Named findings of the scan.
    missing : str
    score : str
        The score with its interval and event, in a few words.
    """

    now: str
    heading: str
    reasons: tuple[str, ...]
    more: tuple[str, ...]
    settles: str
    doubts: tuple[str, ...]
    growth: str
    because: str
    findings: tuple[str, ...]
    missing: str
    score: str


def judgement(result: dict[str, Any]) -> Judgement:
    """The judgement of a stored result; results of earlier versions lack some lines."""
    ctg, growth, state = result["distress"]["detail"], result["growth"], result["state"]
    shown, more = _reasons(state, result.get("state_reasons", []))
    reactive = result.get("state_basis") == REACTIVE
    settles = result.get("settles", [])
    unseen = growth["refusal"] == NONE_GIVEN or "verdict" not in growth
    doubts = _doubts(shown, ctg.get("doubts", []), result["warnings"])
    return Judgement(
        now=now_words(ctg),
        heading=NOT_REASSURING if state == "undecided" and not reactive else "",
        reasons=shown,
        more=more,
        settles=settles[0] if settles else "",
        doubts=doubts,
        growth="" if unseen else f"Growth: {growth['verdict']}",
        because="" if unseen else _sentence(growth["because"]),
        findings=tuple(f["text"] for f in growth.get("findings", []) if f["text"] not in shown),
        missing=_missing(result),
        score=_score(result),
    )


def _reasons(state: str, reasons: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Those shown, the worst first, and those that fold: repetitions, and what goes beyond a few words."""
    first: list[str] = []
    rest: list[str] = []
    for line in reasons:
        said = line.partition(": ")[2] or line
        repeated = any(said in earlier for earlier in first)
        full = bool(first) and len(" ".join([*first, line]).split()) > SHOWN_WORDS
        (rest if repeated or full or (state == "low" and line.startswith("the score")) else first).append(line)
    return (*first, *([ALL_CLEAR] if state == "low" else [])), tuple(rest)


def _doubts(shown: Sequence[str], doubts: Sequence[str], warnings: Sequence[str]) -> tuple[str, ...]:
    """What is not trustworthy and was not said among the reasons."""
    signal = [f"Check the signal: {line}." for line in doubts if not any(line in reason for reason in shown)]
    return (*signal, *(line for line in warnings if not line.startswith(NO_MATERNAL_RATE)))


def now_words(ctg: dict[str, Any]) -> str:
    """The rate now if it is away from the baseline, the baseline, variability and events; empty without a trace."""
    if ctg.get("baseline_bpm") is None:
        return ""
    width = ctg.get("variability_bpm")
    variability = f"variability {width:.0f} bpm" if width is not None else "variability not measurable"
    ups, downs = len(ctg["accelerations"]), len(ctg["decelerations"])
    rate = ctg.get("rate_now_bpm")
    apart = rate is not None and abs(rate - ctg["baseline_bpm"]) >= APART_BPM
    first = f"Now {rate:.0f} bpm; baseline" if apart else "Baseline"
    events = f"{_count(ups, 'acceleration')}, {_count(downs, 'deceleration')}"
    return f"{first} {ctg['baseline_bpm']:.0f} bpm, {variability}; {events}."


def _count(number: int, word: str) -> str:
    return f"{number or 'no'} {word}{'' if number == 1 else 's'}"


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}." if words else ""


def _missing(result: dict[str, Any]) -> str:
    absent = []
    for name, part in (("CTG", result["distress"]), ("scan", result["growth"])):
        if part["refusal"] == NONE_GIVEN:
            absent.append(name)
        elif part["refusal"] is not None and name == "CTG":
            absent.append("score")
    if any(line.startswith(NO_MATERNAL_RATE) for line in result["warnings"]):
        absent.append("maternal heart rate")
    return f"Missing: {', '.join(absent)}." if absent else ""


def _score(result: dict[str, Any]) -> str:
    if result["score"] is None:
        return "No score"
    low, high = result["interval"]
    of = "low cord pH" if result.get("severe") is not None else "abnormal trace"
    if result.get("bounds"):
        of = "abnormal trace or size"
    return f"Score {result['score']:.0f} ({low:.0f} to {high:.0f}), {of}"
