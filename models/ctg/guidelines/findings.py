"""Input and output of the guidelines: findings taken from an analysis, and the class with its criteria."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from models.ctg.analysis import CtgAnalysis
from models.ctg.events import Event

Array = NDArray[np.float64]
LOOKED_AT_S = 3600.0


@dataclass(frozen=True)
class Findings:
    """Measurements of one stretch of trace.

    Attributes
    ----------
    duration_min : float
        Length of the stretch of trace.
    baseline_bpm : float or None
        None where it cannot be determined.
    baseline_rise_bpm : float
        Last ten minutes minus first ten.
    tachycardia_min, bradycardia_min : float
        Longest time that the baseline stays above 160 or below 110 bpm.
    variability_bpm : float or None
        Median bandwidth.
    reduced_variability_min, increased_variability_min : float
        Longest time with a bandwidth below 5 or above 25 bpm.
    sinusoidal_min : float
        Longest sinusoidal stretch.
    accelerations : int
    decelerations : tuple of Event
        Times in s from the start of the stretch.
    contractions : tuple of Event or None
        None without a tocogram.
    short_term_variation_ms : float or None
    """

    duration_min: float = 60.0
    baseline_bpm: float | None = 140.0
    baseline_rise_bpm: float = 0.0
    tachycardia_min: float = 0.0
    bradycardia_min: float = 0.0
    variability_bpm: float | None = 12.0
    reduced_variability_min: float = 0.0
    increased_variability_min: float = 0.0
    sinusoidal_min: float = 0.0
    accelerations: int = 2
    decelerations: tuple[Event, ...] = ()
    contractions: tuple[Event, ...] | None = ()
    short_term_variation_ms: float | None = None


@dataclass(frozen=True)
class Statements:
    """What only a person can state: True, False, or None for unknown.

    Attributes
    ----------
    less_rest : bool or None
        The uterus rests less between contractions (NICE).
    hypertonus : bool or None
    absent_variability : bool or None
        No variability can be seen at all (NICHD).
    fetal_movements : int or None
        Felt during the recording (Dawes-Redman).
    high_variation : bool or None
        An episode of high variation above the 1st centile for the gestation (Dawes-Redman; its table is not at hand).
    """

    less_rest: bool | None = None
    hypertonus: bool | None = None
    absent_variability: bool | None = None
    fetal_movements: int | None = None
    high_variation: bool | None = None


@dataclass(frozen=True)
class GuidelineClass:
    """The answer of one guideline.

    Attributes
    ----------
    rules : str
        Name of the rule set.
    label : str
        The class, in the rule set's own words.
    severity : int or None
        0 normal, 1 in between, 2 worst; None where no class can be given.
    criteria : tuple of str
        The criteria that are met, in words; if none is met, why the trace is normal.
    not_judged : tuple of str
        What could not be judged, and why.
    source : str
        Publication, and whether its numbers were checked against it.
    """

    rules: str
    label: str
    severity: int | None
    criteria: tuple[str, ...]
    not_judged: tuple[str, ...] = ()
    source: str = ""


@dataclass
class Judgement:
    """Criteria of the worst class (red) and of the middle one (amber), and what could not be judged (open)."""

    red: list[str] = field(default_factory=list)
    amber: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def __add__(self, other: "Judgement") -> "Judgement":
        return Judgement(self.red + other.red, self.amber + other.amber, self.open + other.open)


def findings_of(analysis: CtgAnalysis, start_s: float | None = None, end_s: float | None = None) -> Findings:
    """Findings of the stretch from `start_s` to `end_s`; of the last hour by default."""
    end = analysis.duration_s if end_s is None else end_s
    start = max(0.0, end - LOOKED_AT_S) if start_s is None else start_s
    level = analysis.baseline_trace_bpm[int(start) : int(end)]
    bandwidth = analysis.bandwidth_by_minute_bpm[int(start // 60) : int(np.ceil(end / 60))]
    has_baseline = np.isfinite(level).any()
    ten = min(600, len(level))

    def inside(events: Sequence[Event]) -> tuple[Event, ...]:
        return tuple(_moved(event, start) for event in events if start <= event.peak_s < end)

    with np.errstate(invalid="ignore"):
        return Findings(
            duration_min=(end - start) / 60.0,
            baseline_bpm=float(np.median(level)) if has_baseline else None,
            baseline_rise_bpm=float(np.median(level[-ten:]) - np.median(level[:ten])) if has_baseline else 0.0,
            tachycardia_min=_longest(level > 160.0) / 60.0,
            bradycardia_min=_longest(level < 110.0) / 60.0,
            variability_bpm=float(np.nanmedian(bandwidth)) if np.isfinite(bandwidth).any() else None,
            reduced_variability_min=_longest(bandwidth < 5.0, np.isfinite(bandwidth)),
            increased_variability_min=_longest(bandwidth > 25.0, np.isfinite(bandwidth)),
            sinusoidal_min=max([min(b, end) - max(a, start) for a, b in analysis.sinusoidal] + [0.0]) / 60.0,
            accelerations=len(inside(analysis.accelerations)),
            decelerations=inside(analysis.decelerations),
            contractions=inside(analysis.contractions) if analysis.has_toco else None,
            short_term_variation_ms=analysis.short_term_variation_ms,
        )


def _moved(event: Event, by_s: float) -> Event:
    return replace(event, start_s=event.start_s - by_s, end_s=event.end_s - by_s, peak_s=event.peak_s - by_s)


def _longest(true: NDArray[np.bool_], measured: NDArray[np.bool_] | None = None) -> float:
    """Longest run of `true`. An element that was not measured neither ends a run nor counts."""
    run = true[measured] if measured is not None else true
    edges = np.flatnonzero(np.diff(np.concatenate([[False], run, [False]]).astype(np.int8)))
    return float((edges[1::2] - edges[::2]).max()) if len(edges) else 0.0


def go_with(decelerations: Sequence[Event], contractions: Sequence[Event]) -> NDArray[np.int64]:
    """For each deceleration the index of its contraction, or -1."""
    if not contractions:
        return np.full(len(decelerations), -1, dtype=np.int64)
    acmes = np.array([contraction.peak_s for contraction in contractions])
    index = [
        -1 if event.lag_s is None else int(np.argmin(np.abs(acmes - (event.peak_s - event.lag_s))))
        for event in decelerations
    ]
    return np.array(index, dtype=np.int64)


def recurs(
    findings: Findings, counts: Callable[[Event], bool], is_enough: Callable[[float], bool]
) -> tuple[bool, float]:
    """Whether enough of the contractions have such a deceleration, and the longest time for which this holds, min.

    Parameters
    ----------
    counts : callable
        Whether a deceleration counts.
    is_enough : callable
        Whether a share of the contractions is enough.

    Returns
    -------
    recurrent : bool
        Over the whole stretch, with at least two decelerations.
    minutes : float
        Longest time from the first to the last of two or more contractions between which it holds.
    """
    contractions = findings.contractions or ()
    counted = [event for event in findings.decelerations if counts(event)]
    with_one = np.zeros(len(contractions), dtype=bool)
    hit = go_with(counted, contractions)
    with_one[hit[hit >= 0]] = True
    if with_one.sum() < 2:
        return False, 0.0
    running = np.concatenate([[0], np.cumsum(with_one)])
    longest = 0.0
    for first in np.flatnonzero(with_one):
        for last in np.flatnonzero(with_one)[::-1]:
            if last <= first:
                break
            if is_enough((running[last + 1] - running[first]) / (last + 1 - first)):
                longest = max(longest, contractions[last].end_s - contractions[first].start_s)
                break
    return is_enough(float(with_one.mean())), longest / 60.0


def kinds(*names: str) -> Callable[[Event], bool]:
    """Give a function that tells whether a deceleration is of one of these kinds."""
    wanted: Collection[str] = names
    return lambda event: event.kind in wanted


UNRELATED = "whether decelerations recur with contractions, and are late or early: no tocogram"


def unrelated(findings: Findings) -> bool:
    """Whether decelerations cannot be related to contractions, because there is no tocogram."""
    return findings.contractions is None and bool(findings.decelerations)


def graded(rules: str, labels: tuple[str, str, str], judged: Judgement, fine: str, source: str) -> GuidelineClass:
    """The worst label if any criterion is red, the middle one if any is amber, else the best, for the reason `fine`."""
    severity = 2 if judged.red else 1 if judged.amber else 0
    criteria = tuple(judged.red + judged.amber) or (fine,)
    return GuidelineClass(rules, labels[severity], severity, criteria, tuple(judged.open), source)


def cannot(rules: str, source: str) -> GuidelineClass:
    """The answer where the baseline is unknown: no class."""
    return GuidelineClass(rules, "cannot assess", None, ("the baseline cannot be determined",), (), source)
