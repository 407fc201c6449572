"""Inputs of the acidaemia model: 25 measurements of a raw trace over its last 10, 30 and 60 minutes.

A window is shorter where the trace is shorter. A measurement that is not possible in a window stays missing. Features
that a raw trace has in common with SisPorto's table are in `models.ctg.features`.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from models.ctg.analysis import CtgAnalysis
from models.ctg.features import Feature
from models.ctg.variability import epochs_ms

Array = NDArray[np.float64]
WINDOWS_MIN = (10, 30, 60)
MIN_SIGNAL_S = 200
_PHYSIOLOGY = "Task Force ESC/NASPE. Circulation 1996;93:1043-1065 (Poincaré plot), on 3.75-s epochs"
_PRSA = "Bauer A et al. Physica A 2006;364:423-434 (phase-rectified signal averaging), on 3.75-s epochs, T = 1"
_FIGO = "FIGO 2015 (Ayres-de-Campos D et al. Int J Gynecol Obstet 2015;131:13-24)"
_OWN = "this project"
_ROUGH = "structure function of order 1 (Hurst exponent; Spilka J et al. Biomed Signal Process Control 2012;7:350-357)"

# name, label, unit, low, high, group, definition, source
_MEASURES: tuple[tuple[str, str, str, float, float, str, str, str], ...] = (
    ("baseline_mean_bpm", "baseline", "bpm", 50, 240, "baseline", "mean of the baseline", _FIGO),
    ("baseline_highest_bpm", "highest baseline", "bpm", 50, 240, "baseline", "maximum of the baseline", _FIGO),
    ("baseline_drift_bpm", "shift of the baseline", "bpm", 0, 100, "baseline", "standard deviation of the baseline", _OWN),
    ("fhr_p5_bpm", "low heart rates", "bpm", 50, 240, "low heart rate", "5th centile of the heart rate", _OWN),
    ("fhr_p25_bpm", "lower quartile of the heart rate", "bpm", 50, 240, "low heart rate", "25th centile", _OWN),
    ("fhr_sd_bpm", "spread of the heart rate", "bpm", 0, 100, "large swings", "standard deviation of the heart rate", _OWN),
    ("poincare_sd1_bpm", "quick swings", "bpm", 0, 60, "variability", "width of the Poincaré plot", _PHYSIOLOGY),
    ("poincare_sd2_bpm", "slow swings", "bpm", 0, 150, "large swings", "length of the Poincaré plot", _PHYSIOLOGY),
    ("deviation_sd_bpm", "swings about the baseline", "bpm", 0, 100, "large swings", "standard deviation of heart rate minus baseline", _OWN),
    ("share_below_100", "time below 100 bpm", "1", 0, 1, "low heart rate", "share of the signal below 100 bpm", _FIGO),
    ("share_below_110", "time below 110 bpm", "1", 0, 1, "low heart rate", "share of the signal below 110 bpm", _FIGO),
    ("share_above_160", "time above 160 bpm", "1", 0, 1, "baseline", "share of the signal above 160 bpm", _FIGO),
    ("share_15_below", "time in decelerations", "1", 0, 1, "decelerations", "share of the signal more than 15 bpm below the baseline", _FIGO),
    ("decelerations_per_min", "decelerations", "1/min", 0, 4, "decelerations", "decelerations with their nadir in the window", _FIGO),
    ("deepest_deceleration_bpm", "deepest deceleration", "bpm", 0, 190, "decelerations", "largest depth below the baseline", _FIGO),
    ("longest_deceleration_s", "longest deceleration", "s", 0, 7200, "decelerations", "length from leaving the baseline to the return", _FIGO),
    ("accelerations_per_min", "accelerations", "1/min", 0, 4, "accelerations", "accelerations with their peak in the window", _FIGO),
    ("acceleration_area_bpm", "size of accelerations", "bpm", 0, 120, "accelerations", "area of the accelerations over the window's length", "DeepCTG 1.0, Front Pediatr 2023;11:1190441"),
    ("bandwidth_bpm", "variability", "bpm", 0, 150, "variability", "median over minutes of the bandwidth outside accelerations and decelerations", _FIGO),
    ("epoch_variation_ms", "epoch-to-epoch variation", "ms", 0, 150, "variability", "mean |difference| of the mean pulse intervals of successive 3.75-s epochs, all signal (not the antepartum short-term variation)", "Sonicaid manuals"),
    ("deceleration_capacity_bpm", "deceleration capacity", "bpm", -60, 60, "variability", "mean step at falling epochs", _PRSA),
    ("acceleration_capacity_bpm", "acceleration capacity", "bpm", -60, 60, "variability", "mean step at rising epochs", _PRSA),
    ("contractions_per_min", "contractions", "1/min", 0, 2, "contractions", "contractions with their acme in the window; missing without a tocogram", _FIGO),
    ("roughness_seconds", "roughness over seconds", "1", -1, 2, "variability", "log-log slope of mean |change| over 1, 2 and 4 s", _ROUGH),
    ("roughness_minute", "roughness up to a minute", "1", -1, 2, "large swings", "the same over 8 to 64 s", _ROUGH),
)  # fmt: skip
MEASURES = tuple(measure[0] for measure in _MEASURES)
TRACE_FEATURES: tuple[Feature, ...] = tuple(
    Feature(
        f"{name}_last_{minutes}_min",
        f"{label}, last {minutes} min",
        low,
        high,
        group,
        unit=unit,
        definition=f"{definition}; last {minutes} min",
        source=source,
        from_trace=True,
    )
    for minutes in WINDOWS_MIN
    for name, label, unit, low, high, group, definition, source in _MEASURES
)
TRACE_FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in TRACE_FEATURES)


def trace_features(analysis: CtgAnalysis) -> Array:
    """Measure the vector, shape (75,), in the order of `TRACE_FEATURE_NAMES`. A refused trace has NaN alone."""
    if analysis.quality.refusal:
        return np.full(len(TRACE_FEATURES), np.nan)
    end = analysis.duration_s
    rows = [_measure(analysis, max(0.0, end - 60.0 * minutes), end) for minutes in WINDOWS_MIN]
    return np.array([row.get(name, np.nan) for row in rows for name in MEASURES])


def _measure(analysis: CtgAnalysis, start: float, end: float) -> Mapping[str, float]:
    inside = slice(int(start), int(end))
    heart, level = analysis.grid_bpm[inside], analysis.baseline_trace_bpm[inside]
    seen = np.isfinite(heart)
    if seen.sum() < MIN_SIGNAL_S:
        return {}
    present, distance = heart[seen], (heart - level)[seen]
    minutes = (end - start) / 60.0
    decelerations = [event for event in analysis.decelerations if start <= event.peak_s < end]
    accelerations = [event for event in analysis.accelerations if start <= event.peak_s < end]
    p5, p25 = np.percentile(present, [5, 25])
    values = {
        "baseline_mean_bpm": level.mean(),
        "baseline_highest_bpm": level.max(),
        "baseline_drift_bpm": level.std(),
        "fhr_p5_bpm": p5,
        "fhr_p25_bpm": p25,
        "fhr_sd_bpm": present.std(),
        "deviation_sd_bpm": distance.std(),
        "share_below_100": np.mean(present < 100),
        "share_below_110": np.mean(present < 110),
        "share_above_160": np.mean(present > 160),
        "share_15_below": np.mean(distance < -15),
        "decelerations_per_min": len(decelerations) / minutes,
        "deepest_deceleration_bpm": max([0.0, *(event.peak for event in decelerations)]),
        "longest_deceleration_s": max([0.0, *(event.duration_s for event in decelerations)]),
        "accelerations_per_min": len(accelerations) / minutes,
        "acceleration_area_bpm": sum(event.area_bpm_s for event in accelerations) / (end - start),
    }
    if analysis.has_toco:
        values["contractions_per_min"] = sum(start <= e.peak_s < end for e in analysis.contractions) / minutes
    bandwidth = analysis.bandwidth_by_minute_bpm[int(start // 60) : int(end // 60)]
    if np.isfinite(bandwidth).any():
        values["bandwidth_bpm"] = float(np.nanmedian(bandwidth))
    part = analysis.recording.part(start, end)
    return values | _epochs(epochs_ms(part.fhr_bpm, part.sampling_rate_hz)) | _roughness(heart)


def _epochs(interval_ms: Array) -> dict[str, float]:
    change = np.diff(interval_ms)
    rate = 60000.0 / interval_ms
    step = np.diff(rate)
    if np.isfinite(step).sum() < 30:
        return {}
    sd1 = float(np.nanstd(step) / np.sqrt(2))
    return {
        "poincare_sd1_bpm": sd1,
        "poincare_sd2_bpm": float(np.sqrt(max(2 * float(np.nanvar(rate)) - sd1**2, 0.0))),
        "epoch_variation_ms": float(np.nanmean(np.abs(change))),
        "deceleration_capacity_bpm": _capacity(rate, step < 0),
        "acceleration_capacity_bpm": _capacity(rate, step > 0),
    }


def _capacity(rate: Array, anchor: NDArray[np.bool_]) -> float:
    """Phase-rectified signal averaging: (x0 + x1 - x-1 - x-2) / 4 around the anchors."""
    at = np.flatnonzero(anchor) + 1
    at = at[(at >= 2) & (at < len(rate) - 1)]
    if len(at) == 0:
        return 0.0
    around = np.stack([rate[at - 2], rate[at - 1], rate[at], rate[at + 1]])
    present = np.isfinite(around)
    mean = np.where(present, around, 0.0).sum(axis=1) / np.maximum(present.sum(axis=1), 1)
    return float((mean[2] + mean[3] - mean[0] - mean[1]) / 4)


def _roughness(heart: Array) -> dict[str, float]:
    lags = np.array([1, 2, 4, 8, 16, 32, 64])
    logs = np.empty(len(lags))
    for position, lag in enumerate(lags):
        change = np.abs(heart[lag:] - heart[:-lag])
        change = change[np.isfinite(change)]
        logs[position] = np.log((change.mean() if len(change) else 0.0) + 1e-3)

    def slope(part: slice) -> float:
        return float(np.polyfit(np.log(lags[part]), logs[part], 1)[0])

    return {"roughness_seconds": slope(slice(0, 3)), "roughness_minute": slope(slice(3, None))}
