"""A second generator, built otherwise: beat by beat, from pulse intervals, as a monitor would pass them on.

Where `models.synthetic.traces` adds waves to a level at 4 Hz, this one walks from beat to beat: the interval follows a
wandering baseline, autoregressive noise over several beats and events with a steep or gradual onset and an
exponential return; the monitor then averages over beats, samples at 4 Hz and rounds to a quarter of a beat. Sizes and
lengths come from the guidelines' text: accelerations and decelerations over 15 bpm and 15 s, late ones gradual and
after the acme. Synthetic: evidence of the measuring, of nothing clinical.
"""

import numpy as np
from numpy.typing import NDArray

from models.ctg.recording import recording
from models.synthetic.traces import RATE_HZ, SyntheticTrace, lost_samples

Array = NDArray[np.float64]


def _event(time: Array, start: float, rise_s: float, hold_s: float, fall_s: float, height: float) -> Array:
    """Straight onset, a plateau, an exponential return (to 5 % in `fall_s`)."""
    after = time - start
    onset = np.clip(after / rise_s, 0.0, 1.0)
    back = np.exp(-3.0 * np.clip(after - rise_s - hold_s, 0.0, None) / fall_s)
    return np.where(after < 0, 0.0, height * onset * back)


def beats(
    *,
    minutes: float = 40.0,
    baseline_bpm: float = 140.0,
    accelerations: int = 5,
    decelerations: bool = False,
    gradual: bool = True,
    loss: float = 0.0,
    seed: int = 0,
) -> SyntheticTrace:
    """Make a trace.

    Parameters
    ----------
    decelerations : bool
        One of 35 bpm with every contraction (each four minutes), gradual and late, or steep (variable).
    gradual : bool
        Which of the two.
    loss : float
        Share of samples dropped, in bursts of 2 to 20 s.
    """
    rng = np.random.default_rng(seed)
    seconds = np.arange(0.0, minutes * 60.0, 0.25)
    wander = 3.0 * np.sin(2 * np.pi * seconds / 1500.0 + rng.uniform(0, 2 * np.pi))
    level = baseline_bpm + wander - wander.mean()
    acmes = np.arange(150.0, minutes * 60.0 - 150.0, 240.0)
    starts_down = acmes - 10.0 if decelerations else np.empty(0)
    shape = (40.0, 8.0, 40.0) if gradual else (8.0, 25.0, 15.0)
    ups = np.linspace(45.0, minutes * 60.0 - 120.0, accelerations) + rng.uniform(-5, 5, accelerations)
    ups = np.array([up for up in ups if np.all((up - starts_down > 130.0) | (starts_down - up > 60.0))])
    course = level.copy()
    for start in ups:
        course += _event(seconds, start, 6.0, 22.0, 14.0, 26.0)
    for start in starts_down:
        course -= _event(seconds, start, *shape, 35.0)
    moments, rates = _walk(rng, seconds, course)
    # Monitors average over about three beats and show quarters.
    smooth = np.convolve(rates, np.ones(3) / 3, mode="same")
    heart = np.round(np.interp(seconds, moments[1:-1], smooth[1:-1]) * 4) / 4
    heart[lost_samples(rng, len(heart), loss, RATE_HZ)] = np.nan
    toco = 8.0 + rng.normal(0, 1.0, len(seconds))
    for acme in acmes:
        toco += 40.0 * np.exp(-0.5 * ((seconds - acme) / 22.0) ** 2)
    simulated = recording(heart, toco, RATE_HZ, "synthetic", "labour" if decelerations else "antepartum")
    return SyntheticTrace(
        simulated,
        baseline_bpm,
        tuple(float(s) for s in ups),
        tuple(float(s) for s in starts_down),
        tuple(float(a) for a in acmes),
        40.0,
        sum(shape),
    )


def _walk(rng: np.random.Generator, seconds: Array, course: Array) -> tuple[Array, Array]:
    """Beat after beat: moments and momentary rates."""
    moments, rates = [0.0], [float(course[0])]
    slow = quick = 0.0
    while moments[-1] < seconds[-1] + 2.0:
        slow = 0.97 * slow + rng.normal(0, 0.75)
        quick = 0.5 * quick + rng.normal(0, 0.6)
        target = course[min(int(moments[-1] * RATE_HZ), len(course) - 1)] + slow + quick
        interval_ms = np.round(60000.0 / max(target, 40.0))
        moments.append(moments[-1] + interval_ms / 1000.0)
        rates.append(60000.0 / interval_ms)
    return np.array(moments), np.array(rates)
