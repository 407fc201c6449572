"""One pass over a recording: quality, baseline, events, variability and the features it can fill."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.ctg.baseline import baseline, bridge, to_grid
from models.ctg.events import PROLONGED_S, Event, accelerations, contractions, decelerations
from models.ctg.quality import MAX_LOSS, MIN_DURATION_S, SignalQuality, assess_quality
from models.ctg.recording import CtgRecording
from models.ctg.variability import bandwidth_bpm

Array = NDArray[np.float64]


WINDOW_S = 900.0


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
    quality : SignalQuality
    baseline_bpm : float or None
        Median of the baseline; None when the trace cannot be assessed.
    baseline_trace_bpm : ndarray of float64, shape (seconds,)
    accelerations, decelerations, contractions : tuple of Event
    has_toco : bool
        False when there is no tocogram, so that "no contraction" cannot be said.
    variability_bpm : float or None
        Bandwidth.
    windows : tuple of Window
        Stretches of up to 15 min (the length of the table's segments), counted back from the end,
        with at most half of the signal lost; in order of time.
    """

    quality: SignalQuality
    baseline_bpm: float | None
    baseline_trace_bpm: Array
    accelerations: tuple[Event, ...]
    decelerations: tuple[Event, ...]
    contractions: tuple[Event, ...]
    has_toco: bool
    variability_bpm: float | None
    windows: tuple[Window, ...]

    @property
    def prolonged_decelerations(self) -> int:
        """Decelerations of more than 3 minutes."""
        return sum(event.duration_s > PROLONGED_S for event in self.decelerations)


def analyse(ctg: CtgRecording) -> CtgAnalysis:
    """Measure a recording; a refused one has its quality and empty measurements."""
    quality = assess_quality(ctg)
    grid = to_grid(ctg.fhr_bpm, ctg.sampling_rate_hz)
    if quality.refusal:
        return CtgAnalysis(quality, None, np.full(len(grid), np.nan), (), (), (), ctg.toco is not None, None, ())
    level = baseline(grid)
    bridged = bridge(grid)
    up, down = tuple(accelerations(bridged, level)), tuple(decelerations(bridged, level))
    squeezes = tuple(contractions(to_grid(ctg.toco, ctg.sampling_rate_hz))) if ctg.toco is not None else ()
    quiet = np.ones(len(grid), dtype=bool)
    for event in (*up, *down):
        quiet[int(event.start_s) : int(event.end_s) + 1] = False
    variability = bandwidth_bpm(ctg.fhr_bpm, ctg.sampling_rate_hz, level, quiet)
    return CtgAnalysis(
        quality,
        float(np.median(level)),
        level,
        up,
        down,
        squeezes,
        ctg.toco is not None,
        variability,
        tuple(_windows(ctg, level, up, squeezes if ctg.toco is not None else None)),
    )


def _windows(
    ctg: CtgRecording, level: Array, ups: tuple[Event, ...], squeezes: tuple[Event, ...] | None
) -> list[Window]:
    windows = []
    end = float(len(level))
    while end >= MIN_DURATION_S:
        start = max(0.0, end - WINDOW_S)
        inside = slice(round(start * ctg.sampling_rate_hz), round(end * ctg.sampling_rate_hz))
        heart = ctg.fhr_bpm[inside]
        if np.isnan(heart).mean() <= MAX_LOSS:
            middle = float(np.median(level[int(start) : int(end)]))
            windows.append(Window(start, end, _features(heart, middle, start, end, ups, squeezes)))
        end = start
    return windows[::-1]


def _features(
    heart: Array, middle: float, start: float, end: float, ups: tuple[Event, ...], squeezes: tuple[Event, ...] | None
) -> dict[str, float]:
    """The SisPorto-named features whose definition a raw trace meets (`models.ctg.features`)."""

    def rate(events: tuple[Event, ...]) -> float:
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
