"""The state: what a reader must know first. It rests on findings and rule sets; a score can only make it worse.

The order is low < undecided = cannot assess < raised < high. Every source asks for a state with its reasons, and the
worst one is the answer. *Low* is not the absence of an alarm: each of its conditions must be met. The decision is in
`docs/adr/0020-state-apart-from-score.md`.
"""

from dataclasses import dataclass

from models.fusion.trace_state import TraceState
from models.growth.dopplers import UNKNOWN, Dopplers

CANNOT_ASSESS, LOW, UNDECIDED, RAISED, HIGH = "cannot assess", "low", "undecided", "raised", "high"
STATES = (HIGH, RAISED, UNDECIDED, CANNOT_ASSESS, LOW)
RANK = {LOW: 0, UNDECIDED: 1, CANNOT_ASSESS: 1, RAISED: 2, HIGH: 3}
NO_CTG, NO_TRACE, SIGNAL_LOSS, READING, REACTIVE, SCORE, DOPPLER, GROWTH = (
    "no CTG",
    "no trace",
    "signal loss",
    "reading",
    "reactive: criteria met",
    "score",
    "Doppler",
    "growth",
)
NO_SET = "low is not given outside labour: no set to calibrate it"


@dataclass(frozen=True)
class Verdict:
    """The state with its reasons.

    Attributes
    ----------
    state : {"high", "raised", "undecided", "low", "cannot assess"}
    basis : str
        What decides: the trace, a rule set, the score, Doppler, growth, no CTG, signal loss, ...
    reasons : tuple of str
        In clinical words, the worst first.
    settles : tuple of str
        What would settle an undecided state.
    """

    state: str
    basis: str
    reasons: tuple[str, ...] = ()
    settles: tuple[str, ...] = ()


@dataclass(frozen=True)
class ScoreState:
    """What a score says.

    Attributes
    ----------
    words : str
        Of which examinations it is.
    probability : float
    thresholds : (float, float)
        From which it is raised, and high.
    certain : bool
        The 90 % set is exactly "no event".
    """

    words: str
    probability: float
    thresholds: tuple[float, float]
    certain: bool = False


@dataclass(frozen=True)
class Evidence:
    """All that the state rests on.

    Attributes
    ----------
    has_ctg : bool
    trace : TraceState or None
        None without a trace: no CTG, or a table.
    fetuses : int
    scores : tuple of ScoreState
        Of the CTG alone, and with the scan; empty where there is none.
    no_score : str
        Why there is none.
    dopplers : Dopplers
    growth_finding : str
        A finding of growth that raises a CTG which would be low or undecided; empty without one.
    """

    has_ctg: bool = True
    trace: TraceState | None = None
    fetuses: int = 1
    scores: tuple[ScoreState, ...] = ()
    no_score: str = ""
    dopplers: Dopplers = UNKNOWN
    growth_finding: str = ""


def judge(evidence: Evidence) -> Verdict:
    """The worst state that any source asks for; *low* only if every condition of it is met."""
    trace = evidence.trace or TraceState()
    flows, scores = _flows(evidence.dopplers), _scores(evidence.scores)
    high = [*trace.high, *flows[HIGH], *scores[HIGH]]
    raised = [*trace.raised, *flows[RAISED], *scores[RAISED]]
    if evidence.growth_finding and evidence.has_ctg:
        raised.append((GROWTH, evidence.growth_finding))
    for state, lines in ((HIGH, [*high, *raised] if high else []), (RAISED, raised)):
        if lines:
            return Verdict(state, lines[0][0], tuple(dict.fromkeys(reason for _, reason in lines)))
    if not evidence.has_ctg:
        return Verdict(CANNOT_ASSESS, NO_CTG, ("no CTG was given",), ("Record a CTG.",))
    if evidence.trace is None:
        if not evidence.scores:
            return Verdict(CANNOT_ASSESS, NO_TRACE, (evidence.no_score or "there is no trace",), ("Send the trace.",))
        reason = "a table of features is not a trace: its course, its end and its signal cannot be read"
        return Verdict(UNDECIDED, NO_TRACE, (reason,), ("Read the trace, or send it.",))
    if trace.unreadable:
        return Verdict(CANNOT_ASSESS, SIGNAL_LOSS, (trace.unreadable,), ("Improve the signal.",))
    if trace.reactive and evidence.fetuses == 1:
        return Verdict(UNDECIDED, REACTIVE, (REACTIVE, trace.reactive, NO_SET))
    against = [*trace.against_low, *_others_against_low(evidence)]
    if against:
        reasons = tuple(dict.fromkeys(reason for reason, _ in against))
        return Verdict(UNDECIDED, READING, reasons, tuple(dict.fromkeys(settle for _, settle in against if settle)))
    below = [f"{score.words}: {100 * score.probability:.0f}, below its threshold" for score in evidence.scores]
    return Verdict(LOW, "rule sets and score", (*trace.for_low, *below))


def _flows(dopplers: Dopplers) -> dict[str, list[tuple[str, str]]]:
    asked: dict[str, list[tuple[str, str]]] = {HIGH: [], RAISED: []}
    flow, wave = dopplers.umbilical_end_diastolic_flow, dopplers.ductus_venosus_a_wave
    if flow in ("absent", "reversed"):
        state = HIGH if flow == "reversed" else RAISED
        asked[state].append((DOPPLER, f"{flow} end-diastolic flow in the umbilical artery"))
    if wave in ("absent", "reversed"):
        asked[HIGH].append((DOPPLER, f"{wave} a-wave in the ductus venosus"))
    return asked


def _scores(scores: tuple[ScoreState, ...]) -> dict[str, list[tuple[str, str]]]:
    asked: dict[str, list[tuple[str, str]]] = {HIGH: [], RAISED: []}
    for score in scores:
        raised, high = score.thresholds
        if score.probability >= raised:
            state, threshold = (HIGH, high) if score.probability >= high else (RAISED, raised)
            words = f"{score.words}: {100 * score.probability:.0f}, at or above {100 * threshold:.0f}"
            asked[state].append((SCORE, words))
    return asked


def _others_against_low(evidence: Evidence) -> list[tuple[str, str]]:
    unmet = []
    if evidence.fetuses > 1:
        unmet.append(("one of several fetuses", "Identify and read each fetus."))
    if not evidence.scores:
        unmet.append((f"there is no score: {evidence.no_score or 'no model judges this trace'}", ""))
    for score in evidence.scores:
        if not score.certain:
            unmet.append((f"{score.words} does not exclude the event at 90 %", "Record for longer."))
    return unmet
