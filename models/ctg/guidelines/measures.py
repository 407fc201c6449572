"""What several rule sets ask of a reading: levels, variability, repetition, and what is not known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.ctg.events import Event
from models.ctg.guidelines.criteria import NOW_S, Criterion
from models.ctg.reading import Reading
from models.ctg.reading.events import FIGO_SHALLOW_BPM, Deceleration
from models.ctg.reading.signal import carried
from models.ctg.reading.spans import Span, inside, merged, spans
from models.ctg.reading.variability import (
    INCREASED_BPM,
    INCREASED_MEDIAN_S,
    REDUCED_BPM,
    REDUCED_MEDIAN_S,
    STEP_S,
    running_centile,
)

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
TEN_MIN_S = 600.0
JUDGED_S = 3600.0
# A shorter interruption does not end a stretch.
TOLERANCE_S = 120.0
_BRIDGED_S = 600
NEARLY_REDUCED_BPM, NEARLY_INCREASED_BPM, MOSTLY = 6.0, 21.0, 0.7
# In large swings most of the time is taken out as events.
LEAST_MEASURED = 0.3
REPETITION_S, REPETITION_LONG_S, LEAST_CONTRACTIONS, LEAST_EVENTS = 1200.0, 1800.0, 3, 3
GROUP_S = 1800.0
MAX_LOSS = 0.5
LOSS_IN_CONTRACTIONS, AFTER_CONTRACTION_S = 0.5, 30.0


@dataclass(frozen=True)
class Repetition:
    """A stretch in which enough contractions have such an event.

    Attributes
    ----------
    span : Span
    hits, contractions : int
        Contractions with the event, of all contractions in the stretch.
    """

    span: Span
    hits: int
    contractions: int

    @property
    def words(self) -> str:
        """With how many of the contractions."""
        return f"with {self.hits} of {self.contractions} contractions"


def baseline_between(reading: Reading, low: float, high: float) -> list[Span]:
    """Stretches of at least ten minutes in which the baseline, rounded to 1 bpm, is at least `low` and below `high`."""
    level = np.round(reading.baseline_bpm)
    with np.errstate(invalid="ignore"):
        return spans((level >= low) & (level < high), tolerance_s=TOLERANCE_S, least_s=TEN_MIN_S)


def low_rate(reading: Reading) -> list[Criterion]:
    """The last ten minutes have a median rate below 100 bpm, even where it comes back for moments.

    No guideline names it: a baseline asks for a stable level. So it counts only while it holds.
    """
    words = "the median rate of the last ten minutes is below 100 bpm"
    return [Criterion("red", words, span, lingers_s=NOW_S) for span in reading.low_ten_minutes]


def level_words(reading: Reading, span: Span) -> str:
    """The median baseline of a stretch, in bpm, rounded."""
    part = np.round(reading.baseline_bpm[int(span.start_s) : int(span.end_s)])
    return f"{np.nanmedian(part):.0f} bpm"


def reduced_variability(reading: Reading) -> list[Span]:
    """Stretches with variability below 5 bpm. Up to ten minutes without a measure do not end one."""
    values = running_centile(reading.bandwidth_bpm, REDUCED_MEDIAN_S)
    filled = carried(values)
    for gap in spans(np.isnan(values), STEP_S, least_s=_BRIDGED_S + 1):
        filled[int(gap.start_s // STEP_S) : int(gap.end_s // STEP_S)] = np.nan
    with np.errstate(invalid="ignore"):
        return _sustained(filled < REDUCED_BPM, filled < NEARLY_REDUCED_BPM)


def increased_variability(reading: Reading) -> list[Span]:
    """Stretches of at least two minutes with variability above 25 bpm, as far as it can be measured."""
    values = running_centile(reading.bandwidth_bpm, INCREASED_MEDIAN_S)
    with np.errstate(invalid="ignore"):
        stretches = _sustained(values > INCREASED_BPM, values > NEARLY_INCREASED_BPM)
    measured = np.isfinite(reading.bandwidth_bpm)
    return [
        span
        for span in stretches
        if span.length_s >= TOLERANCE_S
        and measured[int(span.start_s // STEP_S) : int(span.end_s // STEP_S)].mean() >= LEAST_MEASURED
    ]


def _sustained(beyond: Flags, nearly: Flags) -> list[Span]:
    """Runs of half minutes beyond a line. Moments just inside it do not end a run that is mostly beyond it."""
    whole: list[Span] = []
    for run in spans(nearly, STEP_S, tolerance_s=TOLERANCE_S):
        steps = slice(int(run.start_s // STEP_S), int(run.end_s // STEP_S))
        (far,) = np.nonzero(beyond[steps])
        if len(far) and beyond[steps].mean() >= MOSTLY:
            whole.append(Span(run.start_s + STEP_S * far[0], run.start_s + STEP_S * (far[-1] + 1)))
    return merged([*whole, *spans(beyond, STEP_S, tolerance_s=TOLERANCE_S)])


def variability_of(reading: Reading, span: Span) -> float | None:
    """Median bandwidth of a stretch, bpm; None where it cannot be measured."""
    part = reading.bandwidth_bpm[int(span.start_s // STEP_S) : int(-(-span.end_s // STEP_S))]
    return float(np.nanmedian(part)) if np.isfinite(part).any() else None


def trailing_variability(reading: Reading, window_s: float) -> Array:
    """Median bandwidth of the last `window_s`, for each half minute, bpm; NaN where it cannot be measured."""
    steps = int(window_s // STEP_S)
    padded = np.concatenate([np.full(steps - 1, np.nan), reading.bandwidth_bpm])
    return running_centile(padded, int(window_s))[steps // 2 :][: len(reading.bandwidth_bpm)]


def with_shallow(reading: Reading) -> tuple[Deceleration, ...]:
    """Decelerations, and dips of 10 to 15 bpm where variability is below 5 bpm and there is no acceleration (FIGO)."""
    reduced = reduced_variability(reading)

    def counts(dip: Deceleration) -> bool:
        near = any(abs(up.start_s - dip.start_s) < REPETITION_S / 2 for up in reading.accelerations)
        flat = any(span.start_s <= dip.start_s <= span.end_s for span in reduced)
        return dip.depth_bpm >= FIGO_SHALLOW_BPM and flat and not near

    both = (*reading.decelerations, *(dip for dip in reading.dips if counts(dip)))
    return tuple(sorted(both, key=lambda event: event.start_s))


def repetitions(
    contractions: Sequence[Event], events: Sequence[Deceleration], *, at_least_half: bool = False
) -> list[Repetition]:
    """Stretches in which more than half of the contractions have one of the events.

    The share is taken over 20 minutes with at least three contractions (over 30 where there are fewer), and at least
    three of them must have one.

    Parameters
    ----------
    at_least_half : bool
        Half is enough (NICHD).
    """
    hit = {event.contraction.peak_s: event for event in events if event.contraction is not None}
    return _recurring(contractions, lambda c: hit.get(c.peak_s), at_least_half=at_least_half)


def _recurring(
    contractions: Sequence[Event],
    event_of: Callable[[Event], Deceleration | Event | None],
    *,
    at_least_half: bool = False,
) -> list[Repetition]:
    event_by_contraction = [event_of(contraction) for contraction in contractions]
    stretches = []
    for first, event in enumerate(event_by_contraction):
        if event is None:
            continue
        for length in (REPETITION_S, REPETITION_LONG_S):
            group = [
                k
                for k in range(first, len(event_by_contraction))
                if contractions[k].peak_s <= contractions[first].peak_s + length
            ]
            if len(group) >= LEAST_CONTRACTIONS:
                break
        hits = [event_by_contraction[k] for k in group]
        present = [one for one in hits if one is not None]
        # The window starts at a hit, which would count too much: the share is that of the contractions after it.
        share = (len(present) - 1) / max(len(group) - 1, 1)
        if (
            len(group) >= LEAST_CONTRACTIONS
            and len(present) >= LEAST_EVENTS
            and (share > 0.5 or (at_least_half and share == 0.5))
        ):
            stretches.append(Span(present[0].start_s, max(one.end_s for one in present)))
    answers = []
    for span in merged(stretches):
        within = [k for k, c in enumerate(contractions) if span.start_s - 120 <= c.peak_s <= span.end_s + 30]
        hits_in = sum(event_by_contraction[k] is not None for k in within)
        answers.append(Repetition(span, hits_in, len(within)))
    return answers


def grouped(events: Sequence[Deceleration], within_s: float = GROUP_S) -> list[list[Deceleration]]:
    """Events that follow each other within half an hour, together."""
    groups: list[list[Deceleration]] = []
    for event in events:
        if groups and event.start_s - groups[-1][-1].end_s <= within_s:
            groups[-1].append(event)
        else:
            groups.append([event])
    return groups


def counted(number: int, kind: str) -> str:
    """``"1 late deceleration"``, ``"3 late decelerations"``."""
    return " ".join(filter(None, (str(number), kind, "deceleration" if number == 1 else "decelerations")))


def not_known(reading: Reading) -> list[Criterion]:
    """Open criteria of every rule set: what is not there, or may not be this fetus."""
    return _hidden(reading) + _lost(reading) + _doubted(reading) + _unrelated(reading)


def _unrelated(reading: Reading) -> list[Criterion]:
    alone = [event for event in reading.decelerations if not event.related]
    return [
        Criterion(
            "open",
            f"{counted(len(group), '')} where contractions are not known (no usable tocogram): whether they recur "
            "with contractions, and are late, cannot be told",
            Span(group[0].start_s, group[-1].end_s),
            repeated=True,
        )
        for group in grouped(alone)
    ]


def _hidden(reading: Reading) -> list[Criterion]:
    """Signal loss that coincides with contractions: decelerations may be hidden."""
    lost = np.isnan(reading.grid_bpm)
    if not reading.contractions or not lost.any():
        return []

    covered = inside([Span(c.start_s, c.end_s + AFTER_CONTRACTION_S) for c in reading.contractions], len(lost))

    def hidden(contraction: Event) -> Event | None:
        part = lost[int(contraction.start_s) : int(contraction.end_s + AFTER_CONTRACTION_S)]
        return contraction if len(part) and part.mean() >= LOSS_IN_CONTRACTIONS else None

    listed = []
    for stretch in _recurring(reading.contractions, hidden):
        within = slice(int(stretch.span.start_s), int(stretch.span.end_s))
        between = lost[within][~covered[within]]
        # Loss that goes on between contractions is plain loss.
        if not len(between) or between.mean() < 0.6 * lost[within][covered[within]].mean():
            words = f"the signal is lost {stretch.words}: decelerations may be hidden"
            listed.append(Criterion("open", words, stretch.span, repeated=True))
    return listed


def _lost(reading: Reading) -> list[Criterion]:
    """More than half of the last ten minutes, or of the last hour, is lost; also a gap at the end."""
    seen = np.concatenate([[0.0], np.cumsum(np.isfinite(reading.grid_bpm))])
    end = np.arange(1, len(seen))
    listed = []
    for window, name in ((TEN_MIN_S, "last ten minutes"), (JUDGED_S, "last hour")):
        start = np.maximum(0, end - int(window))
        share = (seen[end] - seen[start]) / np.maximum(end - start, 1)
        listed += [
            Criterion("open", f"more than half of the signal of the {name} is lost", span, lingers_s=1.0)
            for span in spans(share < MAX_LOSS, least_s=TEN_MIN_S / 10)
        ]
    readable = float(seen[-1] - seen[max(0, len(seen) - 1 - int(JUDGED_S))])
    if readable < TEN_MIN_S:
        words = f"only {readable / 60:.1f} min of the last hour can be read; a baseline needs ten"
        listed.append(Criterion("open", words, Span(0.0, reading.duration_s)))
    return listed


def _doubted(reading: Reading) -> list[Criterion]:
    return [Criterion("open", doubt.words, doubt.span) for doubt in reading.doubts]
