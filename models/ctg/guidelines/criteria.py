"""Criteria with their times, and the class that follows from them at any moment.

A rule set lists every stretch of the trace in which one of its criteria holds. The class at a moment counts those that
hold then or ended less than 30 minutes before. So the class now, the class along the trace, and the words (since when,
until when) come from one list.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from models.ctg.reading.spans import Span

Grade = Literal["red", "amber", "open"]
LINGERS_S = 1800.0
STEP_S = 600.0
NOW_S, REPEATED_S = 60.0, 600.0
CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class Criterion:
    """One stretch in which a criterion holds.

    Attributes
    ----------
    grade : {"red", "amber", "open"}
        Of the worst class, of the middle one, or not known.
    words : str
        What holds, without its time.
    span : Span
        When it holds.
    after_s : float
        It counts once it has held for this long.
    lingers_s : float
        It counts for this long after it ended.
    decisive : bool
        An open criterion that could make a normal trace worse: the class is then not given as normal.
    feature : str
        Criteria of the middle class are counted by feature (NICE): baseline, variability, decelerations, contractions.
    topic : str
        Of several criteria on one topic only the worst is printed.
    repeated : bool
        Single events that repeat: they are not over because a few minutes passed without one.
    """

    grade: Grade
    words: str
    span: Span
    after_s: float = 0.0
    lingers_s: float = LINGERS_S
    decisive: bool = True
    feature: str = ""
    topic: str = ""
    repeated: bool = False

    def counts(self, at_s: float) -> bool:
        """Whether it counts for a reader at this moment, who has not seen what follows."""
        return self.span.start_s + self.after_s <= at_s and self.span.end_s + self.lingers_s > at_s

    def timed(self, at_s: float) -> str:
        """The words with the minute since which it holds, and when it was over."""
        start, end = self.span
        since = f", since minute {start / 60:.0f}"
        if end >= at_s - (REPEATED_S if self.repeated else NOW_S):
            return self.words if start < NOW_S else self.words + since
        if self.repeated:
            one = end - start < 2 * NOW_S
            return f"{self.words}, {'at' if one else 'the last at'} minute {end / 60:.0f}"
        return f"{self.words}{since}, recovered at minute {end / 60:.0f}"


@dataclass(frozen=True)
class ClassAt:
    """The class at one moment of the trace."""

    minute: float
    label: str
    severity: int | None


@dataclass(frozen=True)
class GuidelineClass:
    """The answer of one rule set.

    Attributes
    ----------
    rules : str
        Name of the rule set.
    label : str
        The class, in the rule set's own words.
    severity : int or None
        0 normal, 1 in between, 2 worst; None where no class can be given.
    criteria : tuple of str
        The criteria that count now, with their times; if none does, why the trace is normal.
    not_judged : tuple of str
        What could not be judged, and why.
    source : str
        Publication, and whether its numbers were checked against it.
    before : tuple of str
        Criteria that counted earlier and do not count now.
    history : tuple of ClassAt
        The class at every ten minutes and at the end.
    """

    rules: str
    label: str
    severity: int | None
    criteria: tuple[str, ...]
    not_judged: tuple[str, ...] = ()
    source: str = ""
    before: tuple[str, ...] = ()
    history: tuple[ClassAt, ...] = ()


@dataclass(frozen=True)
class RuleSet:
    """How a rule set turns criteria into a class.

    Attributes
    ----------
    rules, source : str
    labels : tuple of str
        For severity 0, 1 and 2.
    fine : str
        Why a trace without a criterion is normal.
    ambers_for_red : int
        So many criteria of the middle class make the worst one (NICE: 2).
    coloured : bool
        Whether the words say red or amber (NICE).
    """

    rules: str
    source: str
    labels: tuple[str, str, str]
    fine: str
    ambers_for_red: int = 1000
    coloured: bool = False

    def severity(self, criteria: Sequence[Criterion]) -> int | None:
        """Severity of the criteria that count; None where an open one forbids to call the trace normal."""
        red = any(c.grade == "red" for c in criteria)
        ambers = len({c.feature or c.words for c in criteria if c.grade == "amber"})
        if red or ambers >= self.ambers_for_red:
            return 2
        if ambers:
            return 1
        return None if any(c.grade == "open" and c.decisive for c in criteria) else 0

    def label(self, severity: int | None) -> str:
        """The class in the rule set's own words."""
        return CANNOT_TELL if severity is None else self.labels[severity]

    def at(self, criteria: Sequence[Criterion], at_s: float) -> int | None:
        """Severity at one moment."""
        return self.severity([c for c in criteria if c.counts(at_s)])

    def answer(self, criteria: Sequence[Criterion], duration_s: float) -> GuidelineClass:
        """The class at the end, its reasons, and the classes along the trace."""
        now = [c for c in criteria if c.counts(duration_s)]
        severity = self.severity(now)
        order = {"red": 0, "amber": 1}
        met = sorted((c for c in now if c.grade in order), key=lambda c: (order[c.grade], c.span.start_s))
        topics: dict[str, Criterion] = {}
        for criterion in met:
            topics.setdefault(criterion.topic or criterion.timed(duration_s), criterion)
        words = [self._words(c, duration_s) for c in topics.values()]
        unknown = sorted((c for c in now if c.grade == "open"), key=lambda c: not c.decisive)
        opened = _unique([c.timed(duration_s) if c.decisive else c.words for c in unknown])
        if not words:
            words = [self.fine if severity == 0 else f"not called normal: {opened[0]}"]
        moments = [STEP_S * k for k in range(1, int(duration_s // STEP_S) + 1) if STEP_S * k < duration_s]
        return GuidelineClass(
            self.rules,
            self.label(severity),
            severity,
            tuple(_unique(words)),
            tuple(opened),
            self.source,
            tuple(_unique([c.timed(duration_s) for c in criteria if c.grade in order and c not in now])),
            tuple(self._class_at(criteria, at_s) for at_s in (*moments, duration_s)),
        )

    def _words(self, criterion: Criterion, at_s: float) -> str:
        words = criterion.timed(at_s)
        return f"{criterion.grade}: {words}" if self.coloured else words

    def _class_at(self, criteria: Sequence[Criterion], at_s: float) -> ClassAt:
        severity = self.at(criteria, at_s)
        return ClassAt(round(at_s / 60.0, 1), self.label(severity), severity)


def _unique(lines: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(lines))
