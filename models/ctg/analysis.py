"""One pass over a recording: quality, baseline, events, variability and the features it can fill."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.ctg.baseline import baseline, bridge, to_grid
from models.ctg.contractions import contractions, tachysystole
from models.ctg.events import PROLONGED_S, Event, accelerations, decelerations
from models.ctg.quality import MAX_LOSS, MIN_DURATION_S, SignalQuality, assess_quality
from models.ctg.recording import CtgRecording
from models.ctg.variability import (
    bandwidth_by_minute,
    beat_to_beat_bpm,
    quiet_samples,
    short_term_variation_ms,
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
        Canonical features of the same definition as the table's; the others stay missing.
    """

    start_s: float
    end_s: float
    features: dict[str, float]


@dataclass(frozen=True)
class CtgAnalysis:
    """What is measured on a trace.

    Attributes
    ----------
    recording : CtgRecording
        With artefacts removed.
    quality : SignalQuality
    baseline_bpm : float or None
        Median of the baseline; None when the trace cannot be assessed.
    baseline_trace_bpm : ndarray of float64, shape (seconds,)
    grid_bpm : ndarray of float64, shape (seconds,)
        Heart rate on the one-second grid, gaps of at most 15 s interpolated.
    accelerations, decelerations, contractions : tuple of Event
    has_toco : bool
        False when there is no tocogram, so that "no contraction" cannot be said.
    tachysystole : tuple of (start_s, end_s)
    variability_bpm : float or None
        Bandwidth: median over minutes outside accelerations and decelerations.
    bandwidth_by_minute_bpm : ndarray of float64, shape (minutes,)
        NaN where it cannot be measured.
    beat_to_beat_bpm, short_term_variation_ms : float or None
        See `models.ctg.variability`; the latter is for antepartum traces only.
    sinusoidal : tuple of (start_s, end_s)
    windows : tuple of Window
        Stretches of up to 15 min (the length of the table's segments), counted back from the end,
        with at most half of the signal lost; in order of time.
    """

    recording: CtgRecording
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
    short_term_variation_ms: float | None = None
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


def analyse(ctg: CtgRecording) -> CtgAnalysis:
    """Measure a recording; a refused one has its quality and empty measurements."""
    quality, cleaned = assess_quality(ctg)
    rate, heart = ctg.sampling_rate_hz, cleaned.fhr_bpm
    kept = CtgRecording(heart, ctg.toco, rate, ctg.source, ctg.stage, ctg.mhr_bpm, ctg.channel)
    grid = to_grid(heart, rate)
    if quality.refusal:
        return CtgAnalysis(kept, quality, None, np.full(len(grid), np.nan), grid, has_toco=ctg.toco is not None)
    level = baseline(grid)
    bridged = bridge(grid)
    squeezes = contractions(to_grid(ctg.toco, rate)) if ctg.toco is not None else None
    up, down = accelerations(bridged, level), decelerations(bridged, level, squeezes)
    quiet = np.ones(len(grid), dtype=bool)
    for event in (*up, *down):
        quiet[int(event.start_s) : int(event.end_s) + 1] = False
    bandwidth = bandwidth_by_minute(quiet_samples(heart, rate, quiet), rate, level)
    return CtgAnalysis(
        kept,
        quality,
        float(np.median(level)),
        level,
        bridged,
        tuple(up),
        tuple(down),
        tuple(squeezes or ()),
        ctg.toco is not None,
        tuple(tachysystole(squeezes or (), len(grid))),
        float(np.nanmedian(bandwidth)) if np.isfinite(bandwidth).any() else None,
        bandwidth,
        beat_to_beat_bpm(heart, rate),
        short_term_variation_ms(heart, rate),
        tuple(sinusoidal(bridged, level)),
        tuple(_windows(kept, level, up, squeezes)),
    )


def _windows(ctg: CtgRecording, level: Array, ups: list[Event], squeezes: list[Event] | None) -> list[Window]:
    windows = []
    end = float(len(level))
    while end >= MIN_DURATION_S:
        start = max(0.0, end - WINDOW_S)
        heart = ctg.part(start, end).fhr_bpm
        if np.isnan(heart).mean() <= MAX_LOSS:
            middle = float(np.median(level[int(start) : int(end)]))
            windows.append(Window(start, end, _features(heart, middle, start, end, ups, squeezes)))
        end = start
    return windows[::-1]


def _features(
    heart: Array, middle: float, start: float, end: float, ups: list[Event], squeezes: list[Event] | None
) -> dict[str, float]:
    """The SisPorto-named features whose definition a raw trace meets (`models.ctg.features`)."""

    def rate(events: list[Event]) -> float:
        return sum(start <= event.start_s < end for event in events) / (end - start)

    heart = heart[np.isfinite(heart)]
    whole = np.round(heart)
    values, counts = np.unique(whole, return_counts=True)
    features = {
        "baseline_bpm": float(round(middle)),
        "accelerations_per_s": rate(ups),
        "histogram_width_bpm": float(whole.max() - whole.min()),
        "histogram_min_bpm": float(whole.min()),
        "histogram_max_bpm": float(whole.max()),
        "histogram_mode_bpm": float(values[int(np.argmax(counts))]),
        "histogram_mean_bpm": float(np.round(heart.mean())),
        "histogram_median_bpm": float(np.median(whole)),
    }
    if squeezes is not None:
        features["contractions_per_s"] = rate(squeezes)
    return features
