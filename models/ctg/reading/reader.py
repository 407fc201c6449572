"""Read a trace: every finding with its time."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from models.ctg.analysis import CtgAnalysis
from models.ctg.baseline import baseline, interpolate_gaps, to_grid
from models.ctg.contractions import find_contractions, tachysystole
from models.ctg.events import Event
from models.ctg.reading.bradycardia import Bradycardia, bradycardias, low_ten_minutes
from models.ctg.reading.doubts import Doubt, doubts
from models.ctg.reading.events import Deceleration, accelerations, decelerations, shallow_dips
from models.ctg.reading.level import NEW_BASELINE_S, held_level
from models.ctg.reading.signal import by_second as seconds_of
from models.ctg.reading.signal import readable
from models.ctg.reading.spans import Span, inside, merged, spans
from models.ctg.reading.tocogram import known_seconds
from models.ctg.reading.variability import REDUCED_BPM, STEP_S, bandwidths, flat_seconds, running_centile
from models.ctg.reading.variability import by_second as bandwidth_seconds
from models.ctg.variability import quiet_samples, short_term_variation_ms, sinusoidal

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
_OWN_WINDOW_S, _OWN_CENTILE = 900, 25.0
_SINUSOIDAL_TOLERANCE_S = 300.0
BRIDGED_S = 60.0
PRETERM_DAYS = 32 * 7
LEAST_READ_S = 60
LOST_S = 60.0


@dataclass(frozen=True)
class Reading:
    """What a reader would note down.

    Attributes
    ----------
    duration_s : float
        Whole seconds.
    grid_bpm : ndarray, shape (seconds,)
        Heart rate without artefacts, gaps as NaN.
    reference_bpm, baseline_bpm : ndarray, shape (seconds,)
        The level held through falls, and the baseline (`models.ctg.reading.level`).
    accelerations : tuple of Event
    decelerations, dips : tuple of Deceleration
        More than 15 bpm; and shallower ones that stand out from the variability.
    contractions : tuple of Event
    contractions_known : ndarray of bool, shape (seconds,)
    bandwidth_bpm : ndarray, shape (half minutes,)
        Variability; NaN where it cannot be measured.
    short_term_variation_ms : float or None
        Without the minutes that contain a deceleration. Valid for antepartum traces only.
    sinusoidal, tachysystole : tuple of Span
    bradycardias : tuple of Bradycardia
    low_ten_minutes : tuple of Span
        When the ten minutes before have a median rate below 100 bpm.
    doubts : tuple of Doubt
    preterm : bool
        Before 32+0 weeks: accelerations of 10 bpm for 10 s count.
    """

    duration_s: float
    grid_bpm: Array
    reference_bpm: Array
    baseline_bpm: Array
    accelerations: tuple[Event, ...] = ()
    decelerations: tuple[Deceleration, ...] = ()
    dips: tuple[Deceleration, ...] = ()
    contractions: tuple[Event, ...] = ()
    contractions_known: Flags = field(default_factory=lambda: np.zeros(0, dtype=bool))
    bandwidth_bpm: Array = field(default_factory=lambda: np.empty(0))
    short_term_variation_ms: float | None = None
    sinusoidal: tuple[Span, ...] = ()
    tachysystole: tuple[Span, ...] = ()
    bradycardias: tuple[Bradycardia, ...] = ()
    low_ten_minutes: tuple[Span, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    preterm: bool = False

    @property
    def last_readable_s(self) -> float:
        """End of the last readable second; 0 without any."""
        present = np.flatnonzero(np.isfinite(self.grid_bpm))
        return float(present[-1] + 1) if len(present) else 0.0

    @property
    def drawn_baseline_bpm(self) -> Array:
        """The baseline, NaN where a minute or more of the signal is lost: a gap stays a gap."""
        lost = inside(spans(np.isnan(self.grid_bpm), least_s=LOST_S), len(self.grid_bpm))
        return np.where(lost, np.nan, self.baseline_bpm)

    def readable_share(self, start_s: float, end_s: float) -> float:
        """Share of the seconds of a stretch with a heart rate, 0 to 1; a stretch outside the trace has 0."""
        part = self.grid_bpm[max(0, int(start_s)) : max(0, int(end_s))]
        return float(np.isfinite(part).sum()) / max(1.0, end_s - start_s)


def read(analysis: CtgAnalysis, stage: str = "labour", age_days: float | None = None) -> Reading:
    """Read a trace.

    Parameters
    ----------
    analysis : CtgAnalysis
        Its recording as it came, and its rates without artefacts.
    stage : {"labour", "antepartum", "unknown"}
        Contractions are expected unless the trace is antepartum.
    age_days : float or None
        Gestational age. Before 32+0 weeks smaller accelerations count.
    """
    ctg = analysis.given
    rate = ctg.sampling_rate_hz
    preterm = age_days is not None and age_days < PRETERM_DAYS
    samples = readable(ctg, analysis.recording.fhr_bpm)
    grid, interpolated = seconds_of(samples, rate)
    if np.isfinite(grid).sum() < LEAST_READ_S:
        return _nothing(grid, preterm)
    known_level = analysis.baseline_trace_bpm if samples is analysis.recording.fhr_bpm else None
    reference, low = held_level(grid, None if analysis.quality.refusal else known_level)
    toco = to_grid(ctg.toco, rate) if ctg.toco is not None else None
    peaks = find_contractions(toco) if toco is not None else []
    known = known_seconds(toco, peaks, len(grid), labour=stage != "antepartum")
    contractions = [event for event in peaks if known[min(int(event.peak_s), len(known) - 1)]]
    ups = accelerations(interpolated, reference, low, preterm)
    downs = decelerations(interpolate_gaps(grid, BRIDGED_S), reference, contractions, known)
    level = _with_new_baselines(grid, reference, downs)
    # A deceleration of ten minutes is a baseline of its own, so its variability is measured.
    events = [*(Span(e.start_s, e.end_s) for e in ups), *(Span(e.start_s, e.end_s) for e in downs)]
    taken = [span for span in events if span.length_s < NEW_BASELINE_S]
    own = running_centile(bandwidths(samples, rate, level, taken), _OWN_WINDOW_S, _OWN_CENTILE)
    own = bandwidth_seconds(np.nan_to_num(own, nan=2 * REDUCED_BPM), len(grid))
    dips = shallow_dips(interpolated, reference, contractions, own, taken)
    taken += [Span(event.start_s, event.end_s) for event in dips]
    return Reading(
        duration_s=float(len(grid)),
        grid_bpm=grid,
        reference_bpm=reference,
        baseline_bpm=level,
        accelerations=tuple(ups),
        decelerations=_with_flat(downs, interpolated),
        dips=tuple(dips),
        contractions=tuple(contractions),
        contractions_known=known,
        bandwidth_bpm=bandwidths(samples, rate, level, taken),
        short_term_variation_ms=_short_term_variation(samples, rate, downs),
        sinusoidal=tuple(merged([Span(*s) for s in sinusoidal(interpolated, reference)], _SINUSOIDAL_TOLERANCE_S)),
        tachysystole=tuple(Span(*stretch) for stretch in tachysystole(contractions, len(grid))),
        bradycardias=bradycardias(grid, reference),
        low_ten_minutes=tuple(low_ten_minutes(grid)),
        doubts=doubts(grid, contractions),
        preterm=preterm,
    )


def _nothing(grid_bpm: Array, preterm: bool) -> Reading:
    """The reading of less than a minute of heart rate."""
    unknown = np.full(len(grid_bpm), np.nan)
    return Reading(
        duration_s=float(len(grid_bpm)),
        grid_bpm=grid_bpm,
        reference_bpm=unknown,
        baseline_bpm=unknown,
        contractions_known=np.zeros(len(grid_bpm), dtype=bool),
        bandwidth_bpm=np.full(-(-len(grid_bpm) // STEP_S), np.nan),
        preterm=preterm,
    )


def _with_new_baselines(grid_bpm: Array, reference_bpm: Array, events: list[Deceleration]) -> Array:
    """The baseline: a deceleration of ten minutes or more has its own, up to the end where it has not recovered."""
    level = reference_bpm.copy()
    for event in events:
        part = slice(int(event.start_s), int(event.end_s))
        if event.duration_s >= NEW_BASELINE_S and np.isfinite(grid_bpm[part]).any():
            level[part] = baseline(grid_bpm[part])
            if event.running:
                level[part.stop :] = level[part.stop - 1]
    return level


def _short_term_variation(samples_bpm: Array, rate_hz: float, events: list[Deceleration]) -> float | None:
    minutes = [Span(60.0 * (e.start_s // 60), 60.0 * (e.end_s // 60 + 1)) for e in events]
    quiet = ~inside(minutes, -(-len(samples_bpm) // max(1, int(rate_hz))) + 1)
    return short_term_variation_ms(quiet_samples(samples_bpm, rate_hz, quiet), rate_hz)


def _with_flat(events: list[Deceleration], interpolated_bpm: Array) -> tuple[Deceleration, ...]:
    """Add the time without variability inside each deceleration of more than a minute."""
    long = [event for event in events if event.duration_s > 60.0]
    if not long:
        return tuple(events)
    flat = flat_seconds(interpolated_bpm)
    return tuple(
        replace(event, flat_s=float(flat[int(event.start_s) : int(event.end_s)].sum())) if event in long else event
        for event in events
    )
