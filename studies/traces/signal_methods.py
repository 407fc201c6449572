"""Accuracy of the measurements: generators with known events, other methods, labels of false signal."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.ctg.analysis import CtgAnalysis, analyse
from models.ctg.cleaning import maternal
from models.ctg.events import Event
from models.ctg.recording import recording
from models.datasets import fhrma
from models.synthetic.beats import beats
from models.synthetic.traces import SyntheticTrace, trace

Array = NDArray[np.float64]
Counts = NDArray[np.int64]


def spans(events: Sequence[Event]) -> Array:
    """Start and end, shape (k, 2)."""
    return np.array([[event.start_s, event.end_s] for event in events], dtype=np.float64).reshape(-1, 2)


def _meet(first: Array, second: Array) -> NDArray[np.bool_]:
    """Which of the first (rows) and the second (columns) overlap by at least half of the shorter one."""
    overlap = np.minimum(first[:, None, 1], second[None, :, 1]) - np.maximum(first[:, None, 0], second[None, :, 0])
    shorter = np.minimum((first[:, 1] - first[:, 0])[:, None], (second[:, 1] - second[:, 0])[None, :])
    return np.asarray(overlap >= 0.5 * shorter)


def matches(measured: Array, reference: Array) -> Counts:
    """Found, found and known, known, known and found."""
    hit = _meet(measured, reference)
    return np.array([len(measured), hit.any(axis=1).sum(), len(reference), hit.any(axis=0).sum()])


def f1(counts: Counts) -> float:
    """F1 of summed counts."""
    measured, hit, reference, met = (float(n) for n in counts)
    if measured == 0 or reference == 0:
        return float("nan")
    precision, recall = hit / measured, met / reference
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def simulated(*, seeds: int = 20) -> dict[str, Any]:
    """Baseline error and event F1 on both generators, without and with 20 % loss."""
    report: dict[str, Any] = {}
    for name, make in (("waves", _waves), ("beats", _beats)):
        for loss in (0.0, 0.2):
            errors, ups, downs, acmes = [], np.zeros(4, int), np.zeros(4, int), np.zeros(4, int)
            for seed in range(seeds):
                synthetic = make(seed, loss)
                analysis = analyse(synthetic.recording)
                errors.append(np.mean((analysis.baseline_trace_bpm - synthetic.baseline_bpm) ** 2))
                ups += matches(spans(analysis.accelerations), synthetic.acceleration_spans_s)
                downs += matches(spans(analysis.decelerations), synthetic.deceleration_spans_s)
                acmes += _acmes(analysis, synthetic)
            report[f"{name}, loss {loss:.0%}"] = {
                "traces": seeds,
                "baseline_rmse_bpm": float(np.sqrt(np.mean(errors))),
                "acceleration_f1": f1(ups),
                "deceleration_f1": f1(downs),
                "contraction_f1": f1(acmes),
            }
    return report


def _waves(seed: int, loss: float) -> SyntheticTrace:
    return trace(
        minutes=40, baseline_bpm=120 + seed, accelerations=6, late_decelerations=seed % 2 == 1, loss=loss, seed=seed
    )


def _beats(seed: int, loss: float) -> SyntheticTrace:
    return beats(baseline_bpm=120 + seed, decelerations=seed % 2 == 1, gradual=seed % 4 == 1, loss=loss, seed=seed)


def _acmes(analysis: CtgAnalysis, synthetic: SyntheticTrace) -> Counts:
    near = np.array([[event.peak_s - 20, event.peak_s + 20] for event in analysis.contractions]).reshape(-1, 2)
    reference = np.array([[peak - 20, peak + 20] for peak in synthetic.contraction_peaks_s]).reshape(-1, 2)
    return matches(near, reference)


def against_methods(folder: Path) -> dict[str, Any]:
    """FHRMA's traces: each stored method, and ours, against the consensus of the other methods.

    For a stored method the consensus is the other two (baseline: their mean; events: found by both). Ours is
    compared with each such pair, and the mean of the three comparisons is given.
    """
    names = list(fhrma.METHODS.values())
    rmsd: dict[str, list[float]] = {name: [] for name in (*names, "ours")}
    counts = {
        (name, kind): np.zeros(4, int) for name in (*names, "ours") for kind in ("accelerations", "decelerations")
    }
    traces = 0
    for _, channels, readings in fhrma.morphology(folder):
        heart = np.where(channels.heart[1] > 0, channels.heart[1], channels.heart[2])
        analysis = analyse(recording(heart, channels.toco, channels.sampling_rate_hz, "FHRMA"))
        if analysis.quality.refusal or len(readings) < len(names):
            continue
        traces += 1
        level = np.repeat(analysis.baseline_trace_bpm, 4)
        size = min(len(level), *(len(reading.baseline_bpm) for reading in readings.values()))
        mine = {"accelerations": spans(analysis.accelerations), "decelerations": spans(analysis.decelerations)}
        pairs: list[float] = []
        for excluded in names:
            first, second = (readings[name] for name in names if name != excluded)
            middle = 0.5 * (first.baseline_bpm[:size] + second.baseline_bpm[:size])
            rmsd[excluded].append(_rmsd(readings[excluded].baseline_bpm[:size], middle))
            pairs.append(_rmsd(level[:size], middle))
            for kind, own in mine.items():
                agreed = _both(getattr(first, kind), getattr(second, kind))
                counts[(excluded, kind)] += matches(getattr(readings[excluded], kind), agreed)
                counts[("ours", kind)] += matches(own, agreed)
        rmsd["ours"].append(float(np.mean(pairs)))
    return {"traces": traces} | {
        name: {
            "baseline_rmsd_bpm": float(np.mean(rmsd[name])),
            "acceleration_f1": f1(counts[(name, "accelerations")]),
            "deceleration_f1": f1(counts[(name, "decelerations")]),
        }
        for name in (*names, "ours")
    }


def _rmsd(first: Array, second: Array) -> float:
    return float(np.sqrt(np.nanmean((first - second) ** 2)))


def _both(first: Array, second: Array) -> Array:
    """Events of the first that the second has too."""
    return np.asarray(first[_meet(first, second).any(axis=1)])


def false_signal(folder: Path) -> dict[str, Any]:
    """Maternal-heart-rate coincidence against FHRMA's labels of false fetal signal, sample by sample."""
    report: dict[str, Any] = {}
    tallies: dict[str, Counts] = {}
    recordings: dict[str, int] = {}
    for name, channels, true, false in fhrma.false_signal(folder):
        group = name.rstrip("0123456789")
        ctg = recording(channels.heart[1], channels.toco, channels.sampling_rate_hz, "FHRMA", mhr_bpm=channels.mhr)
        if ctg.mhr_bpm is None:
            continue
        flagged = maternal(ctg.fhr_bpm, ctg.mhr_bpm, ctg.sampling_rate_hz)
        present = np.isfinite(ctg.fhr_bpm)
        known_false, known_true = _inside(false, len(flagged)) & present, _inside(true, len(flagged)) & present
        tallies[group] = tallies.get(group, np.zeros(4, int)) + np.array(
            [(flagged & known_false).sum(), known_false.sum(), (flagged & known_true).sum(), known_true.sum()]
        )
        recordings[group] = recordings.get(group, 0) + 1
    for group, (hit, wrong, alarm, right) in tallies.items():
        report[group] = {
            "recordings": recordings[group],
            "false_signal_h": float(wrong / 14400),
            "true_signal_h": float(right / 14400),
            "sensitivity": float(hit / wrong) if wrong else None,
            "specificity": float(1 - alarm / right) if right else None,
            "precision": float(hit / (hit + alarm)) if hit + alarm else None,
        }
    return report


def _inside(stretches: Array, size: int) -> NDArray[np.bool_]:
    inside = np.zeros(size, dtype=bool)
    for start, end in stretches:
        inside[max(int(start) - 1, 0) : int(end)] = True
    return inside
