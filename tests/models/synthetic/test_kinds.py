"""Kinds of trace with random numbers: levels, depths, contractions, loss and sampling rate differ in every draw."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from models.bundle import Bundle
from models.ctg.analysis import analyse
from models.ctg.recording import CtgRecording
from models.fusion.distress import distress_part
from models.fusion.inputs import CtgInput
from models.fusion.risk import assess
from models.fusion.state import CANNOT_ASSESS, HIGH, LOW, RAISED, UNDECIDED
from models.synthetic.scenes import Scene

Rng = np.random.Generator
DRAWS = 3
WELL, URGENT, ALARM = {LOW, UNDECIDED}, {HIGH}, {HIGH, RAISED}
NOT_LOW = {HIGH, RAISED, UNDECIDED, CANNOT_ASSESS}
ANY, NOT_NORMAL = {0, 1, 2, None}, {1, 2, None}


@dataclass(frozen=True)
class Kind:
    """How traces of a kind are drawn, and what may be said of them: states, FIGO, NICE."""

    name: str
    draw: Callable[[Rng], Scene]
    states: set[str]
    figo: set[int | None]
    nice: set[int | None]


def calm(rng: Rng, minutes: float = 60.0, bpm: float | None = None) -> Scene:
    """A normal trace with accelerations; its tocogram has another height and drifts."""
    return plain(rng, minutes, bpm, rng.uniform(7, 15)).accelerate(rng.uniform(5, 9))


def plain(
    rng: Rng, minutes: float = 60.0, bpm: float | None = None, width: float | None = None, every_s: float | None = None
) -> Scene:
    """The same without accelerations."""
    scene = Scene(minutes, int(rng.integers(10**6)), every_s or rng.uniform(130, 260))
    scene.toco = 10 + (scene.toco - 10) * rng.uniform(14, 60) / 40 + 3 * np.sin(scene.time / 900)
    return scene.level((0.0, bpm or rng.uniform(120, 152))).vary(width or rng.uniform(7, 12))


def unrecovered(rng: Rng, shortest: float, longest: float, *, low: float = 55.0, width: float = 8.0) -> Scene:
    """A normal hour that ends within a fall."""
    minutes = rng.uniform(shortest, longest)
    return calm(rng).fall(60 - minutes, rng.uniform(low, low + 30), minutes, width)


def long_labour(rng: Rng) -> Scene:
    """Hours of normal trace, then one with late decelerations and little variability."""
    scene = Scene(260, int(rng.integers(10**6)), rng.uniform(150, 220)).level((0, 140)).vary(11, 0, 200)
    return scene.vary(rng.uniform(2, 3.5), 200).late(rng.uniform(22, 36), start_min=200)


def sine(rng: Rng) -> Scene:
    scene = Scene(60, int(rng.integers(10**6))).level((0, rng.uniform(125, 150)))
    return scene.vary(rng.uniform(0.8, 2)).sine(rng.uniform(6, 13))


def rise(rng: Rng) -> Scene:
    end = rng.uniform(156, 159)
    return Scene(300, int(rng.integers(10**6))).level((0, 130), (40, 130), (270, end), (300, end)).vary(11)


KINDS = (
    Kind("normal", calm, WELL, {0}, {0}),
    Kind("tachycardia", lambda r: plain(r, bpm=r.uniform(170, 185)), ALARM, {1, 2}, {2}),
    Kind("baseline of 103 to 108", lambda r: plain(r, bpm=r.uniform(103, 108.4)), NOT_LOW, {1}, {1, 2}),
    Kind("rise over hours", rise, NOT_LOW, {0, 1}, {1, 2}),
    Kind(
        "bradycardia for half an hour",
        lambda r: calm(r).fall(r.uniform(20, 35), r.uniform(85, 96), 60),
        URGENT,
        {2},
        {2},
    ),
    Kind("terminal fall", lambda r: unrecovered(r, 5.6, 16), URGENT, {2}, {2}),
    Kind("short terminal fall", lambda r: unrecovered(r, 3.9, 5), URGENT, ANY, {2}),
    Kind("terminal fall without variability", lambda r: unrecovered(r, 6, 16, width=1.2), URGENT, {2}, {2}),
    Kind("agonal", lambda r: unrecovered(r, 6, 15, low=18.0).fall(52, r.uniform(38, 48), 8), URGENT, {2}, NOT_NORMAL),
    Kind("recovered fall", lambda r: calm(r).fall(r.uniform(32, 48), r.uniform(65, 90), 7), ALARM, {2}, {2}),
    Kind("recovered short fall", lambda r: calm(r).fall(r.uniform(34, 50), r.uniform(65, 90), 4.5), NOT_LOW, ANY, {2}),
    Kind("late, recent", lambda r: plain(r).late(r.uniform(22, 38), start_min=r.uniform(28, 40)), ALARM, {1, 2}, {2}),
    Kind("late, an hour", lambda r: plain(r).late(r.uniform(22, 38)), ALARM, {2}, {2}),
    Kind("late, reduced", lambda r: plain(r, width=r.uniform(2, 3.6)).late(r.uniform(18, 32)), ALARM, {2}, {2}),
    Kind(
        "late, shallow, reduced", lambda r: plain(r, width=r.uniform(1.5, 3)).late(r.uniform(11, 14)), ALARM, {2}, {2}
    ),
    Kind(
        "late, no tocogram",
        lambda r: plain(r).late(r.uniform(22, 36)).tocogram_off(None),
        NOT_LOW,
        NOT_NORMAL,
        NOT_NORMAL,
    ),
    Kind(
        "late, constant tocogram",
        lambda r: plain(r).late(r.uniform(22, 36)).tocogram_off(r.uniform(0, 60)),
        NOT_LOW,
        NOT_NORMAL,
        NOT_NORMAL,
    ),
    Kind(
        "variable, tocogram lost",
        lambda r: plain(r).variable(r.uniform(45, 65), r.uniform(45, 65)).tocogram_off(r.uniform(0, 20), 35),
        NOT_LOW,
        NOT_NORMAL,
        ANY,
    ),
    Kind(
        "variable and long, recent",
        lambda r: plain(r, every_s=r.uniform(170, 230)).variable(r.uniform(80, 95), r.uniform(35, 60), 32),
        NOT_LOW,
        {1, 2},
        {1, 2},
    ),
    Kind("sinusoidal", sine, ALARM, {2}, {2}),
    Kind("saltatory", lambda r: plain(r, width=r.uniform(31, 40)), ALARM, {1, 2}, {2}),
    Kind("flat", lambda r: plain(r, 90, width=r.uniform(1, 3.8)), ALARM, {2}, {2}),
    Kind("reduced", lambda r: plain(r, width=r.uniform(3.6, 4.4)), NOT_LOW, NOT_NORMAL, NOT_NORMAL),
    Kind("end lost", lambda r: calm(r).lose(60 - r.uniform(11, 22)), NOT_LOW, NOT_NORMAL, NOT_NORMAL),
    Kind("mostly lost", lambda r: calm(r).lose_share(r.uniform(0.56, 0.7)), {CANNOT_ASSESS}, NOT_NORMAL, NOT_NORMAL),
    Kind(
        "lost in contractions", lambda r: plain(r, every_s=200).lose_in_contractions(), NOT_LOW, NOT_NORMAL, NOT_NORMAL
    ),
    Kind("hours, then bad", long_labour, ALARM, {2}, {2}),
    Kind("mother's pulse", lambda r: calm(r, bpm=142).mother(40, r.uniform(75, 110)), NOT_LOW, NOT_NORMAL, NOT_NORMAL),
    Kind("halved", lambda r: calm(r).multiply(0.5, r.uniform(40, 52), None), NOT_LOW, NOT_NORMAL, NOT_NORMAL),
    Kind("doubled", lambda r: plain(r, bpm=r.uniform(70, 84)).multiply(2.0, 38, None), NOT_LOW, NOT_NORMAL, NOT_NORMAL),
    Kind("two fetuses", lambda r: plain(r, bpm=128).alternate(r.uniform(20, 30), 3.5), NOT_LOW, NOT_NORMAL, NOT_NORMAL),
)


def recorded(rng: Rng, scene: Scene) -> CtgRecording:
    """The recording with some loss, at 1, 2 or 4 Hz."""
    if not np.isnan(scene.heart).any():
        scene.lose_share(rng.uniform(0.0, 0.12))
    step = int(rng.choice([1, 2, 4]))
    made = scene.done()
    toco = None if made.toco is None else made.toco[::step]
    return replace(made, fhr_bpm=made.fhr_bpm[::step], toco=toco, sampling_rate_hz=4.0 / step)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(DRAWS))
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_draw_of_a_kind_is_answered_as_it_must_be(bundle: Bundle, kind: Kind, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ctg = CtgInput(analysis=analyse(recorded(rng, kind.draw(rng))), stage="labour", age_days=280)
    judged = distress_part(bundle, ctg, lead_time=False)
    answer = assess(bundle, ctg, None, judged=judged)
    figo, _, nice = (rules["severity"] for rules in judged.part.detail["guidelines"])
    assert answer.state in kind.states, answer.state_reasons
    assert figo in kind.figo
    assert nice in kind.nice
