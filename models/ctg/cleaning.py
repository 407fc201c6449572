"""Removal of artefacts: spikes, halved and doubled heart rates, stuck values, the mother's pulse.

With a poor signal, ultrasound monitors count only every second beat, or count both movements of a valve. After the
probe has moved they may record the maternal pulse. A jump that no heart can make shows the former; a maternal channel
shows the latter. Removed samples count as lost; nothing is repaired.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from models.ctg.recording import CtgRecording

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
JUMP_BPM = 25.0
SPIKE_S = 3.0
MAX_GAP_S = 2.0
MAX_HALVED_S = 60.0
STUCK_S = 20.0
COINCIDENCE_BPM = 5.0
COINCIDENCE_S = 15.0
KINDS = ("spike", "halved or doubled", "stuck", "maternal heart rate")


@dataclass(frozen=True)
class Cleaned:
    """The heart rate without artefacts.

    Attributes
    ----------
    fhr_bpm : ndarray, shape (n,)
    removed : dict of str to float
        Share of the recorded (not lost) samples that were removed, by kind. There is no entry for the mother's pulse
        where there was no maternal channel to compare with.
    """

    fhr_bpm: Array
    removed: dict[str, float]


def clean(ctg: CtgRecording) -> Cleaned:
    """Remove artefacts from the heart rate."""
    heart = ctg.fhr_bpm.copy()
    recorded = max(int(np.isfinite(heart).sum()), 1)
    removed: dict[str, float] = {}

    def remove(kind: str, flags: Flags) -> None:
        flags = flags & np.isfinite(heart)
        removed[kind] = float(flags.sum()) / recorded
        heart[flags] = np.nan

    if ctg.mhr_bpm is not None:
        remove(KINDS[3], maternal(heart, ctg.mhr_bpm, ctg.sampling_rate_hz))
    remove(KINDS[2], stuck(heart, ctg.sampling_rate_hz))
    spikes, halved = jumps(heart, ctg.sampling_rate_hz)
    remove(KINDS[1], halved)
    remove(KINDS[0], spikes)
    return Cleaned(heart, removed)


def stuck(heart: Array, sampling_rate_hz: float) -> Flags:
    """Runs of one exact value for at least 20 s: a frozen display, because no heart beats so evenly."""
    edges = np.flatnonzero(np.concatenate([[True], heart[1:] != heart[:-1], [True]]))
    length = np.diff(edges)
    return np.repeat(length >= STUCK_S * sampling_rate_hz, length) & np.isfinite(heart)


def jumps(heart: Array, sampling_rate_hz: float) -> tuple[Flags, Flags]:
    """Spikes, and stretches that are half or twice their surroundings.

    The present samples are cut into segments at jumps of more than 25 bpm and at gaps of more than 2 s. A
    segment of at most 3 s that differs by more than 25 bpm from the neighbours it touches is a spike. One of
    at most a minute that was entered and left by a jump of ratio 0.45 to 0.55 (or the inverse) is halved (or doubled).

    Returns
    -------
    spikes, halved_or_doubled : ndarray of bool, shape (n,)
    """
    none = np.zeros(len(heart), dtype=bool)
    present = np.flatnonzero(np.isfinite(heart))
    if len(present) < 3:
        return none, none.copy()
    values = heart[present]
    gap = np.diff(present) > max(MAX_GAP_S * sampling_rate_hz, 1)
    cut = np.flatnonzero(gap | (np.abs(np.diff(values)) > JUMP_BPM)) + 1
    starts = np.concatenate([[0], cut])
    ends = np.concatenate([cut, [len(values)]])
    seconds = (ends - starts) / sampling_rate_hz
    first, last = values[starts], values[ends - 1]
    # Ratio of a segment's ends to the samples beyond them. A neighbour across a gap does not count.
    into = np.full(len(starts), np.nan)
    out = np.full(len(starts), np.nan)
    touching = ~gap[cut - 1]
    into[1:] = np.where(touching, first[1:] / last[:-1], np.nan)
    out[:-1] = np.where(touching, last[:-1] / first[1:], np.nan)
    sides = np.vstack([into, out])
    spike = (seconds <= SPIKE_S) & np.isfinite(sides).any(axis=0)
    half = ((sides > 0.45) & (sides < 0.55)) | ((sides > 1.8) & (sides < 2.2))
    wrong = (seconds > SPIKE_S) & (seconds <= MAX_HALVED_S) & half.all(axis=0) & (np.sign(into - 1) == np.sign(out - 1))
    # Of two neighbouring segments the longer one is taken as true.
    neighbour = np.maximum(np.concatenate([[0.0], seconds[:-1]]), np.concatenate([seconds[1:], [0.0]]))
    spike &= seconds < neighbour
    spikes, halved = none, none.copy()
    length = ends - starts
    spikes[present] = np.repeat(spike, length)
    halved[present] = np.repeat(wrong, length)
    return spikes, halved


def maternal(heart: Array, mhr_bpm: Array, sampling_rate_hz: float) -> Flags:
    """Stretches where the fetal channel follows the mother's pulse.

    The two are within 5 bpm of each other for more than 80 % of 15 s. Where they only cross, this time is shorter.
    """
    both = np.isfinite(heart) & np.isfinite(mhr_bpm)
    near = both & (np.abs(np.where(both, heart - mhr_bpm, 99.0)) <= COINCIDENCE_BPM)
    size = max(3, round(COINCIDENCE_S * sampling_rate_hz))
    share = ndimage.uniform_filter1d(near.astype(float), size)
    seen = ndimage.uniform_filter1d(both.astype(float), size)
    core = (seen > 0.3) & (share > 0.8 * seen)
    return np.asarray(ndimage.maximum_filter1d(core.astype(np.uint8), size).astype(bool) & near)
