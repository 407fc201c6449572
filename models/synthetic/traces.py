"""Synthetic traces with known events: for tests, demonstration and a newcomer's federation.

They are marked synthetic wherever they show and are evidence of nothing clinical.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.ctg.recording import CtgRecording, recording

Array = NDArray[np.float64]
RATE_HZ = 4.0


@dataclass(frozen=True)
class SyntheticTrace:
    """A trace and what was put into it.

    Attributes
    ----------
    recording : CtgRecording
    baseline_bpm : float
    acceleration_starts_s, deceleration_starts_s, contraction_peaks_s : tuple of float
    acceleration_length_s, deceleration_length_s : float
    """

    recording: CtgRecording
    baseline_bpm: float
    acceleration_starts_s: tuple[float, ...]
    deceleration_starts_s: tuple[float, ...]
    contraction_peaks_s: tuple[float, ...]
    acceleration_length_s: float = 44.0
    deceleration_length_s: float = 90.0

    @property
    def acceleration_spans_s(self) -> Array:
        """Start and end of each acceleration, shape (k, 2)."""
        return _spans(self.acceleration_starts_s, self.acceleration_length_s)

    @property
    def deceleration_spans_s(self) -> Array:
        """Start and end of each deceleration, shape (k, 2)."""
        return _spans(self.deceleration_starts_s, self.deceleration_length_s)


def _spans(starts: tuple[float, ...], length: float) -> Array:
    first = np.asarray(starts, dtype=np.float64).reshape(-1, 1)
    return np.hstack([first, first + length])


def _bump(time: Array, start: float, length: float, height: float) -> Array:
    """A raised-cosine excursion of `height` over `length` seconds."""
    phase = np.clip((time - start) / length, 0.0, 1.0)
    return np.asarray(height * 0.5 * (1.0 - np.cos(2.0 * np.pi * phase)))


def trace(
    *,
    minutes: float = 30.0,
    baseline_bpm: float = 135.0,
    variability_bpm: float = 10.0,
    accelerations: int = 4,
    late_decelerations: bool = False,
    contraction_every_s: float = 200.0,
    loss: float = 0.04,
    seed: int = 0,
) -> SyntheticTrace:
    """Make a trace at 4 Hz.

    Parameters
    ----------
    late_decelerations : bool
        One deceleration of 25 bpm, 90 s long, 30 s after each contraction's onset.
    loss : float
        Share of samples dropped, in bursts of 2 to 20 s.
    """
    rng = np.random.default_rng(seed)
    time = np.arange(int(minutes * 60 * RATE_HZ)) / RATE_HZ
    phases = rng.uniform(0, 2 * np.pi, 2)
    heart = baseline_bpm + 0.32 * variability_bpm * np.sin(2 * np.pi * time / 17.0 + phases[0])
    heart += 0.18 * variability_bpm * np.sin(2 * np.pi * time / 6.1 + phases[1]) + rng.normal(0, 0.4, len(time))
    toco = 12.0 + rng.normal(0, 0.6, len(time))
    peaks = np.arange(120.0, minutes * 60 - 90, contraction_every_s)
    for peak in peaks:
        toco += _bump(time, peak - 45, 90, 45)
    downs = tuple(float(peak - 15) for peak in peaks) if late_decelerations else ()
    for start in downs:
        heart -= _bump(time, start, 90, 32)
    # Accelerations are spaced so that they meet no deceleration.
    slots = np.linspace(60, minutes * 60 - 90, accelerations) if accelerations else np.empty(0)
    ups = tuple(float(s) for s in slots if not any(-50 < s - d < 110 for d in downs))
    for start in ups:
        heart += _bump(time, start, 44, 30)
    heart[lost_samples(rng, len(time), loss, RATE_HZ)] = np.nan
    simulated = recording(heart, toco, RATE_HZ, "synthetic", "labour" if late_decelerations else "antepartum")
    return SyntheticTrace(simulated, baseline_bpm, ups, downs, tuple(float(p) for p in peaks))


def lost_samples(rng: np.random.Generator, count: int, share: float, rate_hz: float) -> NDArray[np.bool_]:
    """Bursts of 2 to 20 s until the share is lost."""
    lost = np.zeros(count, dtype=bool)
    while lost.mean() < share:
        first = int(rng.integers(0, count))
        lost[first : first + int(rng.uniform(2, 20) * rate_hz)] = True
    return lost


def as_csv(ctg: CtgRecording) -> bytes:
    """The recording as a CSV that `models.ctg.formats` reads back; lost samples are 0."""
    lines = [f"# sampling_rate_hz: {ctg.sampling_rate_hz:g}", "FHR,UC"]
    toco = ctg.toco if ctg.toco is not None else np.zeros(len(ctg.fhr_bpm))
    lines += [f"{h:.2f},{u:.2f}" for h, u in zip(np.nan_to_num(ctg.fhr_bpm), np.nan_to_num(toco), strict=True)]
    return ("\n".join(lines) + "\n").encode()


def as_wfdb(ctg: CtgRecording, name: str) -> dict[str, bytes]:
    """The recording as a WFDB pair, format 16, gain 100, by file name."""
    toco = ctg.toco if ctg.toco is not None else np.zeros(len(ctg.fhr_bpm))
    columns = np.column_stack([np.nan_to_num(ctg.fhr_bpm), np.nan_to_num(toco)])
    digital = np.round(columns * 100).astype("<i2")
    lines = [f"{name} 2 {ctg.sampling_rate_hz:g} {len(digital)}"]
    for index, (label, unit) in enumerate((("FHR", "bpm"), ("UC", "nd"))):
        column = digital[:, index].astype(np.int64)
        checksum = (int(column.sum()) + 2**15) % 2**16 - 2**15
        lines.append(f"{name}.dat 16 100(0)/{unit} 12 0 {column[0]} {checksum} 0 {label}")
    return {f"{name}.hea": ("\n".join(lines) + "\n").encode(), f"{name}.dat": digital.tobytes()}
