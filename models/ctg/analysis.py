"""Analysis of a recording: quality, baseline, events, variability and the features of the table that it can fill."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from models.ctg.baseline import baseline, interpolate_gaps, to_grid
from models.ctg.contractions import find_contractions, tachysystole
from models.ctg.events import PROLONGED_S, Event, find_accelerations, find_decelerations
from models.ctg.quality import MAX_LOSS, MIN_DURATION_S, SignalQuality, assess_quality
from models.ctg.recording import LOWEST_MEASURED_BPM, CtgRecording
from models.ctg.variability import (
    bandwidth_by_minute,
    beat_to_beat_bpm,
    quiet_samples,
    sinusoidal,
)

Array = NDArray[np.float64]
Stretch = tuple[float, float]
WINDOW_S = 900.0
# The baseline moves slowly: it is drawn and stored at this step.
BASELINE_STEP_S = 15


@dataclass(frozen=True)
class Window:
    """One stretch of the trace with the features it fills.

    Attributes
    ----------
    start_s, end_s : float
    features : dict of str to float
        Canonical features that have the same definition as those of the table. The others stay missing.
    """

    start_s: float
    end_s: float
    features: dict[str, float]


@dataclass(frozen=True)
class CtgAnalysis:
    """All measurements of one trace.

    Attributes
    ----------
    recording : CtgRecording
        The rates from 50 bpm on, with artefacts removed.
    given : CtgRecording
        The recording as it came, for the reading (`models.ctg.reading`).
    quality : SignalQuality
    baseline_bpm : float or None
        Median of the baseline; None when the trace cannot be assessed.
    baseline_trace_bpm : ndarray of float64, shape (seconds,)
    grid_bpm : ndarray of float64, shape (seconds,)
        Heart rate on the one-second grid, gaps of at most 15 s interpolated.
    accelerations, decelerations, contractions : tuple of Event
    has_toco : bool
        False when there is no tocogram. An empty `contractions` then does not mean that there were none.
    tachysystole : tuple of (start_s, end_s)
    variability_bpm : float or None
        Bandwidth: median over minutes outside accelerations and decelerations.
    bandwidth_by_minute_bpm : ndarray of float64, shape (minutes,)
        NaN where it cannot be measured.
    beat_to_beat_bpm : float or None
        See `models.ctg.variability`.
    sinusoidal : tuple of (start_s, end_s)
    windows : tuple of Window
        Stretches of up to 15 min (the length of the table's segments), counted back from the end, with at most half
        of the signal lost. They are in order of time.
    """

    recording: CtgRecording
    given: CtgRecording
    quality: SignalQuality
    baseline_bpm: float | None
    baseline_trace_bpm: Array
    grid_bpm: Array
    accelerations: tuple[Event, ...] = ()
    decelerations: tuple[Event, ...] = ()
    contractions: tuple[Event, ...] = ()
    has_toco: bool = False
    tachysystole: tuple[Stretch, ...] = ()
    variability_bpm: float | None = None
    bandwidth_by_minute_bpm: Array = field(default_factory=lambda: np.empty(0))
    beat_to_beat_bpm: float | None = None
    sinusoidal: tuple[Stretch, ...] = ()
    windows: tuple[Window, ...] = ()

    @property
    def prolonged_decelerations(self) -> int:
        """Decelerations of more than 3 minutes."""
        return sum(event.duration_s > PROLONGED_S for event in self.decelerations)

    @property
    def duration_s(self) -> float:
        """Length, whole seconds."""
        return float(len(self.grid_bpm))


def measured(ctg: CtgRecording) -> CtgRecording:
    """The recording with the rates that the models measure: from 50 bpm on."""
    with np.errstate(invalid="ignore"):
        return replace(ctg, fhr_bpm=np.where(ctg.fhr_bpm >= LOWEST_MEASURED_BPM, ctg.fhr_bpm, np.nan))


def analyse(ctg: CtgRecording) -> CtgAnalysis:
    """Measure a recording for the models. A refused recording has its quality and no other measurement."""
    given, ctg = ctg, measured(ctg)
    quality, cleaned = assess_quality(ctg)
    rate, heart = ctg.sampling_rate_hz, cleaned.fhr_bpm
    cleaned_ctg = replace(ctg, fhr_bpm=heart)
    grid = to_grid(heart, rate)
    has_toco = ctg.toco is not None
    if quality.refusal:
        return CtgAnalysis(
            recording=cleaned_ctg,
            given=given,
            quality=quality,
            baseline_bpm=None,
            baseline_trace_bpm=np.full(len(grid), np.nan),
            grid_bpm=grid,
            has_toco=has_toco,
        )
    level = baseline(grid)
    interpolated = interpolate_gaps(grid)
    contractions = find_contractions(to_grid(ctg.toco, rate)) if ctg.toco is not None else None
    accelerations = find_accelerations(interpolated, level)
    decelerations = find_decelerations(interpolated, level, contractions)
    quiet = np.ones(len(grid), dtype=bool)
    for event in (*accelerations, *decelerations):
        quiet[int(event.start_s) : int(event.end_s) + 1] = False
    bandwidth = bandwidth_by_minute(quiet_samples(heart, rate, quiet), rate, level)
    return CtgAnalysis(
        recording=cleaned_ctg,
        given=given,
        quality=quality,
        baseline_bpm=float(np.median(level)),
        baseline_trace_bpm=level,
        grid_bpm=interpolated,
        accelerations=tuple(accelerations),
        decelerations=tuple(decelerations),
        contractions=tuple(contractions or ()),
        has_toco=has_toco,
        tachysystole=tuple(tachysystole(contractions or (), len(grid))),
        variability_bpm=float(np.nanmedian(bandwidth)) if np.isfinite(bandwidth).any() else None,
        bandwidth_by_minute_bpm=bandwidth,
        beat_to_beat_bpm=beat_to_beat_bpm(heart, rate),
        sinusoidal=tuple(sinusoidal(interpolated, level)),
        windows=tuple(_windows(cleaned_ctg, level, accelerations, contractions)),
    )


def _windows(
    ctg: CtgRecording, level: Array, accelerations: list[Event], contractions: list[Event] | None
) -> list[Window]:
    windows = []
    end = float(len(level))
    while end >= MIN_DURATION_S:
        start = max(0.0, end - WINDOW_S)
        heart = ctg.part(start, end).fhr_bpm
        if np.isnan(heart).mean() <= MAX_LOSS:
            features = _histogram(heart, float(np.median(level[int(start) : int(end)])))
            features["accelerations_per_s"] = _rate(accelerations, start, end)
            if contractions is not None:
                features["contractions_per_s"] = _rate(contractions, start, end)
            windows.append(Window(start, end, features))
        end = start
    return windows[::-1]


def _rate(events: list[Event], start: float, end: float) -> float:
    """Events that start in the stretch, per second."""
    return sum(start <= event.start_s < end for event in events) / (end - start)


def _histogram(heart: Array, baseline_bpm: float) -> dict[str, float]:
    """Baseline and histogram features of SisPorto's table whose definition a raw trace meets."""
    heart = heart[np.isfinite(heart)]
    whole = np.round(heart)
    values, counts = np.unique(whole, return_counts=True)
    return {
        "baseline_bpm": float(round(baseline_bpm)),
        "histogram_width_bpm": float(whole.max() - whole.min()),
        "histogram_min_bpm": float(whole.min()),
        "histogram_max_bpm": float(whole.max()),
        "histogram_mode_bpm": float(values[int(np.argmax(counts))]),
        "histogram_mean_bpm": float(np.round(heart.mean())),
        "histogram_median_bpm": float(np.median(whole)),
    }
