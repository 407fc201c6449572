"""Antepartum traces of three generators with new seeds: reactive ones are no alarm, and abnormal ones always are."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from models.bundle import Bundle
from models.ctg.analysis import analyse
from models.ctg.recording import CtgRecording
from models.fusion.inputs import CtgInput
from models.fusion.risk import assess
from models.fusion.state import REACTIVE
from models.synthetic.beats import beats
from models.synthetic.scenes import Scene
from models.synthetic.traces import trace

Make = Callable[[int, int, np.random.Generator, bool], CtgRecording]
PRETERM_DAYS = 224
NEVER_S = 1e6


def reactive_scene(minutes: int, seed: int, rng: np.random.Generator, preterm: bool) -> CtgRecording:
    scene = Scene(minutes, seed, every_s=NEVER_S).level((0, rng.uniform(118, 155))).vary(rng.uniform(7, 18))
    height, seconds = (
        (rng.uniform(12, 16), rng.uniform(17, 30)) if preterm else (rng.uniform(19, 30), rng.uniform(25, 45))
    )
    return scene.accelerate(rng.uniform(3, 6), height, seconds).tocogram_off(8.0).done("antepartum")


def reactive_beats(minutes: int, seed: int, rng: np.random.Generator, preterm: bool) -> CtgRecording:
    level, loss = rng.uniform(118, 152), rng.uniform(0, 0.15)
    count = max(3, minutes // 6)
    return beats(minutes=minutes, baseline_bpm=level, accelerations=count, loss=loss, seed=seed).recording


def reactive_waves(minutes: int, seed: int, rng: np.random.Generator, preterm: bool) -> CtgRecording:
    return trace(
        minutes=minutes,
        baseline_bpm=rng.uniform(118, 152),
        variability_bpm=rng.uniform(7, 14),
        accelerations=max(3, minutes // 6),
        contraction_every_s=rng.choice([300.0, 600.0]),
        loss=rng.uniform(0, 0.15),
        seed=seed,
    ).recording


def calm(minutes: int, seed: int, rng: np.random.Generator) -> Scene:
    return Scene(minutes, seed).level((0, rng.uniform(120, 155)))


ABNORMAL: dict[str, Make] = {
    "flat": lambda m, seed, rng, _: calm(m, seed, rng).vary(rng.uniform(0.8, 3)).tocogram_off(8.0).done(),
    "sinusoidal": lambda m, seed, rng, _: calm(m, seed, rng).vary(1).sine(rng.uniform(5, 14)).tocogram_off(8.0).done(),
    "late": lambda m, seed, rng, _: calm(m, seed, rng).vary(rng.uniform(3, 10)).late(rng.uniform(20, 40)).done(),
    "unprovoked": lambda m, seed, rng, _: (
        calm(m, seed, rng).vary(rng.uniform(3, 10)).variable(50, 35).tocogram_off(8.0).done()
    ),
    "flat waves": lambda m, seed, rng, _: (
        trace(minutes=m, variability_bpm=rng.uniform(0.5, 3), accelerations=0, seed=seed).recording
    ),
    "late waves": lambda m, seed, rng, _: (
        trace(minutes=m, accelerations=0, late_decelerations=True, seed=seed).recording
    ),
    "late beats": lambda m, seed, rng, _: (
        beats(minutes=m, accelerations=0, decelerations=True, gradual=True, seed=seed).recording
    ),
}


def state(bundle: Bundle, recording: CtgRecording, days: int) -> tuple[str, str]:
    analysis = analyse(replace(recording, stage="antepartum"))
    answer = assess(bundle, CtgInput(analysis=analysis, stage="antepartum", age_days=days), None)
    return answer.state, answer.state_basis


@pytest.mark.slow
@pytest.mark.parametrize("make", [reactive_scene, reactive_beats, reactive_waves])
def test_reactive_traces_are_no_alarm_and_mostly_called_reactive(bundle: Bundle, make: Make) -> None:
    rng = np.random.default_rng(77)
    states = [
        state(bundle, make(minutes, 700 + number, rng, days < PRETERM_DAYS), days)
        for number, (minutes, days) in enumerate([(m, d) for m in (20, 30, 40, 60) for d in (196, 217, 238, 259, 280)])
    ]
    assert sum(name in ("high", "raised") for name, _ in states) <= 1
    assert not any(name == "low" for name, _ in states)
    assert sum(basis == REACTIVE for _, basis in states) >= 10


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(ABNORMAL))
def test_abnormal_traces_are_an_alarm(bundle: Bundle, kind: str) -> None:
    rng = np.random.default_rng(78)
    for number, minutes in enumerate((30, 40, 60)):
        name, _ = state(bundle, ABNORMAL[kind](minutes, 900 + number, rng, False), 252)
        assert name in ("high", "raised"), f"{kind}, {minutes} min: {name}"
