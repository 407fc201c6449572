"""Building blocks of a trace with known content, on the 4-Hz grid of a monitor.

A scene is a level with variability, to which events are added. Everything is deterministic by its seed and rounded to
0.25 bpm, as monitors do. Synthetic: evidence that rules are followed, of nothing clinical.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from models.ctg.recording import CtgRecording, recording
from models.synthetic.traces import RATE_HZ

Array = NDArray[np.float64]

TONE, HEIGHT, WIDTH_S = 10.0, 40.0, 80.0


@dataclass
class Scene:
    """A trace in the making.

    Attributes
    ----------
    minutes : float
    seed : int
    every_s : float
        Time between contractions, s.
    heart, toco : ndarray, shape (n,)
        bpm, and units of the tocogram. Lost samples are NaN.
    acmes : tuple of float
        Acmes of the contractions, s.
    """

    minutes: float
    seed: int = 0
    every_s: float = 180.0
    heart: Array = field(init=False)
    toco: Array = field(init=False)
    acmes: tuple[float, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.time = np.arange(round(self.minutes * 60 * RATE_HZ)) / RATE_HZ
        self.heart = np.full(len(self.time), 140.0)
        self.acmes = tuple(float(t) for t in np.arange(100.0, self.minutes * 60 - 60, self.every_s))
        self.toco = TONE + self.rng.normal(0, 0.5, len(self.time))
        for acme in self.acmes:
            self.toco += HEIGHT * _cosine(self.time, acme - WIDTH_S / 2, WIDTH_S)

    def level(self, *knots: tuple[float, float]) -> "Scene":
        """Draw the level through (minute, bpm), with slow drift of about 2 bpm."""
        minutes, bpm = zip(*knots, strict=True)
        drift = 1.5 * np.sin(2 * np.pi * self.time / 1700.0 + self.rng.uniform(0, 6))
        self.heart = np.interp(self.time / 60.0, minutes, bpm) + drift
        return self

    def vary(self, bpm: float, start_min: float = 0.0, end_min: float | None = None) -> "Scene":
        """Add variability whose 2.5th to 97.5th centile range in a minute is `bpm`, from and to these minutes."""
        inside = self._minutes(start_min, end_min)
        quick, slow = (
            ndimage.gaussian_filter1d(self.rng.normal(size=len(self.time)), seconds * RATE_HZ) for seconds in (1.2, 4.0)
        )
        texture = quick / quick.std() + 0.8 * slow / slow.std()
        rows = texture[: len(texture) // 240 * 240].reshape(-1, 240)
        width = float(np.median(np.percentile(rows, 97.5, axis=1) - np.percentile(rows, 2.5, axis=1)))
        self.heart[inside] += bpm / width * texture[inside]
        return self

    def sine(self, amplitude_bpm: float, start_min: float = 0.0, end_min: float | None = None) -> "Scene":
        """Add a sinusoid of four cycles a minute, its amplitude from the level to the peak."""
        inside = self._minutes(start_min, end_min)
        self.heart[inside] += amplitude_bpm * np.sin(2 * np.pi * self.time[inside] / 15.0)
        return self

    def accelerate(self, every_min: float = 7.0, bpm: float = 24.0, seconds: float = 35.0) -> "Scene":
        """Add accelerations at regular times, between contractions."""
        for start in np.arange(2.4 * 60, self.minutes * 60 - 90, every_min * 60):
            self.heart += bpm * _plateau(self.time, float(start), 6.0, seconds - 14.0, 8.0)
        return self

    def late(self, bpm: float = 32.0, start_min: float = 0.0, end_min: float | None = None, share: int = 1) -> "Scene":
        """Add a late deceleration after every `share`-th contraction: 40 s down, nadir 32 s after the acme, 42 s up."""
        for acme in self._contractions(start_min, end_min)[::share]:
            self.heart -= bpm * _triangle(self.time, acme - 8.0, 40.0, 42.0)
        return self

    def early(self, bpm: float = 24.0) -> "Scene":
        """Add a deceleration that mirrors every contraction."""
        for acme in self.acmes:
            self.heart -= bpm * _cosine(self.time, acme - 42.0, 84.0)
        return self

    def variable(
        self, seconds: float = 40.0, bpm: float = 45.0, start_min: float = 0.0, end_min: float | None = None
    ) -> "Scene":
        """Add an abrupt deceleration with every contraction, 10 s down and 10 s up."""
        for acme in self._contractions(start_min, end_min):
            self.heart -= bpm * _plateau(self.time, acme - 10.0, 8.0, seconds - 18.0, 10.0)
        return self

    def fall(self, start_min: float, to_bpm: float, minutes: float, variability: float = 8.0) -> "Scene":
        """Fall to a rate within 40 s and stay there; come back within 40 s if the trace is long enough."""
        shape = _plateau(self.time, start_min * 60, 40.0, minutes * 60 - 80.0, 40.0)
        if start_min + minutes >= self.minutes - 1:
            shape = np.clip((self.time - start_min * 60) / 40.0, 0.0, 1.0)
        own = Scene(self.minutes, self.seed + 1).level((0.0, to_bpm)).vary(variability).heart
        self.heart = (1 - shape) * self.heart + shape * own
        return self

    def mother(self, start_min: float, bpm: float = 85.0) -> "Scene":
        """Step to the mother's pulse, which rises by 14 bpm with contractions, up to the end."""
        pulse = Scene(self.minutes, self.seed + 2).level((0.0, bpm)).vary(6.0).heart
        for acme in self.acmes:
            pulse += 14.0 * _cosine(self.time, acme - 35.0, 70.0)
        inside = self._minutes(start_min, None)
        self.heart[inside] = pulse[inside]
        return self

    def multiply(self, factor: float, start_min: float, end_min: float | None) -> "Scene":
        """Halve or double the rate, as a monitor does that counts wrongly."""
        self.heart[self._minutes(start_min, end_min)] *= factor
        return self

    def alternate(self, bpm: float, every_min: float = 3.0) -> "Scene":
        """Show another fetus, so many bpm away, in every second stretch."""
        other = (self.time / 60.0 / every_min).astype(int) % 2 == 1
        self.heart[other] += bpm
        return self

    def lose(self, start_min: float, end_min: float | None = None) -> "Scene":
        """Lose the signal of the heart between these minutes."""
        self.heart[self._minutes(start_min, end_min)] = np.nan
        return self

    def lose_share(self, share: float) -> "Scene":
        """Lose a share of the samples, in stretches of 5 to 40 s."""
        while np.isnan(self.heart).mean() < share:
            first = int(self.rng.integers(0, len(self.heart)))
            self.heart[first : first + int(self.rng.uniform(5, 40) * RATE_HZ)] = np.nan
        return self

    def lose_in_contractions(self) -> "Scene":
        """Lose the signal from the start of every contraction to half a minute after it."""
        for acme in self.acmes:
            self.heart[(self.time > acme - 35) & (self.time < acme + 65)] = np.nan
        return self

    def tocogram_off(self, value: float | None, start_min: float = 0.0) -> "Scene":
        """Replace the tocogram by one value (NaN for None) from this minute on."""
        self.toco[self._minutes(start_min, None)] = np.nan if value is None else value
        return self

    def done(self, stage: str = "labour") -> CtgRecording:
        """The recording."""
        heart = np.round(4 * self.heart) / 4
        toco = None if np.isnan(self.toco).all() else np.round(2 * self.toco) / 2
        return recording(heart, toco, RATE_HZ, "synthetic", stage)

    def _minutes(self, start: float, end: float | None) -> NDArray[np.bool_]:
        return np.asarray((self.time >= 60 * start) & (self.time < 60 * (self.minutes if end is None else end)))

    def _contractions(self, start: float, end: float | None) -> Sequence[float]:
        last = self.minutes if end is None else end
        return [acme for acme in self.acmes if 60 * start <= acme - 40 and acme < 60 * last]


def _cosine(time: Array, start: float, length: float) -> Array:
    phase = np.clip((time - start) / length, 0.0, 1.0)
    return np.asarray(0.5 * (1.0 - np.cos(2.0 * np.pi * phase)))


def _triangle(time: Array, start: float, down: float, up: float) -> Array:
    return np.asarray(np.clip(np.minimum((time - start) / down, 1.0 - (time - start - down) / up), 0.0, 1.0))


def _plateau(time: Array, start: float, rise: float, hold: float, fall: float) -> Array:
    after = time - start
    return np.asarray(np.clip(np.minimum(after / rise, 1.0 - (after - rise - hold) / fall), 0.0, 1.0))
