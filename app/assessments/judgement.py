"""The judgement in few words: what a doctor reads before anything is unfolded.

What the trace shows now, why the state is what it is, what is not trustworthy, the verdict on growth, what is missing.
Everything else of the answer folds under it.
"""

from dataclasses import dataclass
from typing import Any

SHOWN_REASONS = 2
NOT_REASSURING = "Not reassuring, read the trace:"
ALL_CLEAR = "Not an all-clear: no rule set and no score objects."
NONE_GIVEN = "none was given"


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
    growth : str
        The verdict with its reason.
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
    findings: tuple[str, ...]
    missing: str
    score: str


def judgement(result: dict[str, Any]) -> Judgement:
    """The judgement of a stored result; results of earlier versions lack some lines."""
    ctg, growth, state = result["distress"]["detail"], result["growth"], result["state"]
    reasons = list(result.get("state_reasons", []))
    if state == "low":
        reasons = [*reasons, ALL_CLEAR]
        first = len(reasons)
    else:
        first = SHOWN_REASONS
    reactive = result.get("state_basis", "").startswith("reactive")
    settles = result.get("settles", [])
    return Judgement(
        now=now_words(ctg),
        heading=NOT_REASSURING if state == "undecided" and not reactive else "",
        reasons=tuple(reasons[:first]),
        more=tuple(reasons[first:]),
        settles=settles[0] if settles else "",
        doubts=(*(f"Check the signal: {line}." for line in ctg.get("doubts", [])), *result["warnings"]),
        growth=_growth(growth),
        findings=tuple(finding["text"] for finding in growth.get("findings", [])),
        missing=_missing(result),
        score=_score(result),
    )


def now_words(ctg: dict[str, Any]) -> str:
    """Baseline, variability and events in one short line; empty without a trace."""
    if ctg.get("baseline_bpm") is None:
        return ""
    width = ctg.get("variability_bpm")
    variability = f"variability {width:.0f} bpm" if width is not None else "variability not measurable"
    ups, downs = len(ctg["accelerations"]), len(ctg["decelerations"])
    lost = (ctg.get("signal_loss_by_ten_minutes") or [0.0])[-1]
    ending = f"; {lost:.0%} of the end lost" if lost > 0.5 else ""
    events = f"{_count(ups, 'acceleration')}, {_count(downs, 'deceleration')}"
    return f"Baseline {ctg['baseline_bpm']:.0f} bpm, {variability}; {events}{ending}."


def _count(number: int, word: str) -> str:
    return f"{number or 'no'} {word}{'' if number == 1 else 's'}"


def _growth(growth: dict[str, Any]) -> str:
    verdict, because = growth.get("verdict"), growth.get("because", "")
    if verdict is None or growth["refusal"] == NONE_GIVEN:
        return ""
    return f"Growth: {verdict} ({because})." if because else f"Growth: {verdict}."


def _missing(result: dict[str, Any]) -> str:
    absent = []
    for name, part in (("CTG", result["distress"]), ("scan", result["growth"])):
        if part["refusal"] == NONE_GIVEN:
            absent.append(f"no {name}")
        elif part["refusal"] is not None and name == "CTG":
            absent.append(f"no score ({part['refusal']})")
    return f"Missing: {', '.join(absent)}." if absent else ""


def _score(result: dict[str, Any]) -> str:
    if result["score"] is None:
        return "No score"
    low, high = result["interval"]
    of = "low cord pH" if result.get("severe") is not None else "an abnormal pattern"
    if result.get("bounds"):
        of = "an abnormal pattern or size"
    return f"Score {result['score']:.0f} ({low:.0f} to {high:.0f}) of 100: {of}"
