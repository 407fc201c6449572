"""Variability: bandwidth, beat-to-beat, short-term variation, and the sinusoidal rhythm."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
EPOCH_S = 3.75
SINUSOIDAL_HZ = (3 / 60, 5 / 60)
SINUSOIDAL_BPM = (5.0, 15.0)
_SINUSOIDAL_WINDOW_S, _SINUSOIDAL_STEP_S = 120, 60
_SINUSOIDAL_SHARE = 0.7


def _by_minute(values: Array, sampling_rate_hz: float) -> Array:
    """Samples as rows of one minute each; the last row is padded with NaN."""
    size = max(1, round(60 * sampling_rate_hz))
    minutes = -(-len(values) // size)
    padded = np.full(minutes * size, np.nan)
    padded[: len(values)] = values
    return padded.reshape(minutes, size)


def _at_samples(by_second: NDArray[np.generic], count: int, sampling_rate_hz: float) -> NDArray[np.generic]:
    second = np.minimum((np.arange(count) / sampling_rate_hz).astype(int), len(by_second) - 1)
    return np.asarray(by_second[second])


def quiet_samples(fhr_bpm: Array, sampling_rate_hz: float, quiet: Flags) -> Array:
    """The samples, with NaN outside the `quiet` seconds."""
    return np.where(_at_samples(quiet, len(fhr_bpm), sampling_rate_hz), fhr_bpm, np.nan)


def bandwidth_by_minute(fhr_bpm: Array, sampling_rate_hz: float, level_bpm: Array, min_share: float = 0.5) -> Array:
    """2.5th to 97.5th centile range around the baseline in each minute, bpm, shape (minutes,).

    Parameters
    ----------
    fhr_bpm : ndarray, shape (n,)
        Samples; NaN do not count. For the variability that FIGO grades, give only samples outside accelerations and
        decelerations.
    level_bpm : ndarray, shape (seconds,)
        Baseline.
    min_share : float
        A minute with a smaller share of samples is NaN.
    """
    distance = fhr_bpm - _at_samples(level_bpm, len(fhr_bpm), sampling_rate_hz).astype(np.float64)
    rows = np.sort(_by_minute(distance, sampling_rate_hz), axis=1)
    count = np.isfinite(rows).sum(axis=1)
    index = np.arange(len(rows))

    def centile(share: float) -> Array:
        exact = share * np.maximum(count - 1, 0)
        low = np.floor(exact).astype(int)
        high = np.minimum(low + 1, np.maximum(count - 1, 0))
        return np.asarray(rows[index, low] + (exact - low) * (rows[index, high] - rows[index, low]))

    enough = count >= min_share * rows.shape[1]
    return np.where(enough, centile(0.975) - centile(0.025), np.nan)


def beat_to_beat_bpm(fhr_bpm: Array, sampling_rate_hz: float) -> float | None:
    """Mean absolute difference of successive quarter-seconds, bpm; None below 4 Hz.

    Monitors smooth by autocorrelation over several beats, so this underestimates the true beat-to-beat variability.
    """
    if sampling_rate_hz < 4:
        return None
    change = np.abs(np.diff(fhr_bpm[:: round(sampling_rate_hz / 4)]))
    change = change[np.isfinite(change)]
    return float(change.mean()) if len(change) >= 240 else None


def epochs_ms(fhr_bpm: Array, sampling_rate_hz: float) -> Array:
    """Mean pulse interval of each 1/16 minute (3.75 s), ms, shape (epochs,); NaN with under half its samples."""
    number = (np.arange(len(fhr_bpm)) / sampling_rate_hz / EPOCH_S).astype(int)
    count = int(len(fhr_bpm) / sampling_rate_hz / EPOCH_S)
    used = np.isfinite(fhr_bpm) & (number < count)
    samples = np.bincount(number[used], minlength=count)
    total = np.bincount(number[used], weights=60000.0 / fhr_bpm[used], minlength=count)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(samples >= 0.5 * EPOCH_S * sampling_rate_hz, total / samples, np.nan)


def short_term_variation_ms(fhr_bpm: Array, sampling_rate_hz: float) -> float | None:
    """Short-term variation, ms: mean over minutes of the mean |difference| of successive 3.75-s epochs.

    Definition from the Sonicaid manuals (Dawes-Redman). Minutes with less than half of their differences do not count.
    None when fewer than ten minutes count or the sampling rate is below 2 Hz. For antepartum traces only: the reference
    ranges do not hold in labour.
    """
    if sampling_rate_hz < 2:
        return None
    intervals = epochs_ms(fhr_bpm, sampling_rate_hz)
    change = np.abs(np.diff(intervals))
    minutes = len(change) // 16
    rows = change[: minutes * 16].reshape(minutes, 16)
    count = np.isfinite(rows).sum(axis=1)
    usable = count >= 8
    if usable.sum() < 10:
        return None
    return float(np.mean(np.nansum(rows[usable], axis=1) / count[usable]))


def sinusoidal(interpolated_bpm: Array, level_bpm: Array) -> list[tuple[float, float]]:
    """Stretches of a smooth, sine-like rhythm of 3 to 5 cycles a minute and an amplitude of 5 to 15 bpm.

    Two-minute windows are taken each minute on the one-second grid. In such a window at least 70 % of the power above
    one cycle a minute lies at 3 to 5 cycles a minute; the amplitude is that of a sine of this power. The numbers are
    those of FIGO 2015, quoted from memory and not checked.

    Returns
    -------
    list of (start_s, end_s)
        Merged stretches. The guidelines ask for more than 30 min (FIGO) or at least 20 min (NICHD).
    """
    distance = interpolated_bpm - level_bpm
    if len(distance) < _SINUSOIDAL_WINDOW_S:
        return []
    windows = np.lib.stride_tricks.sliding_window_view(distance, _SINUSOIDAL_WINDOW_S)[::_SINUSOIDAL_STEP_S]
    whole = np.isfinite(windows).all(axis=1)
    centred = np.nan_to_num(windows - np.nan_to_num(windows).mean(axis=1, keepdims=True))
    taper = np.hanning(_SINUSOIDAL_WINDOW_S)
    power = np.abs(np.fft.rfft(centred * taper, axis=1)) ** 2
    frequency = np.fft.rfftfreq(_SINUSOIDAL_WINDOW_S, 1.0)
    # The taper spreads a spectral line: one bin of 0.5 cycles a minute on either side belongs to it.
    inside = (frequency >= SINUSOIDAL_HZ[0] - 1 / 120) & (frequency <= SINUSOIDAL_HZ[1] + 1 / 120)
    total = power[:, frequency > 1 / 60].sum(axis=1)
    band = power[:, inside].sum(axis=1)
    # Parseval: a sine of amplitude a under the taper has one-sided power a^2/4 * N * sum(taper^2).
    amplitude = np.sqrt(4 * band / (_SINUSOIDAL_WINDOW_S * np.sum(taper**2)))
    hit = whole & (band > _SINUSOIDAL_SHARE * total)
    hit &= (amplitude >= SINUSOIDAL_BPM[0]) & (amplitude <= SINUSOIDAL_BPM[1])
    labels, _ = ndimage.label(hit)
    return [
        (float(where.start * _SINUSOIDAL_STEP_S), float((where.stop - 1) * _SINUSOIDAL_STEP_S + _SINUSOIDAL_WINDOW_S))
        for (where,) in ndimage.find_objects(labels)
    ]
