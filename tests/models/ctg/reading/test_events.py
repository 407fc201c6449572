"""Decelerations and accelerations as each rule set names them."""

from collections import Counter

import numpy as np
import pytest

from models.ctg.analysis import analyse
from models.ctg.events import Event
from models.ctg.reading import Reading, read
from models.ctg.reading.events import Deceleration, figo_kind, nice_kind, nichd_kind
from models.synthetic.scenes import Scene

CONTRACTION = Event(100.0, 180.0, 40.0, 140.0)


def scene(variability: float = 8.0, seed: int = 1) -> Scene:
    return Scene(40, seed).level((0.0, 140.0)).vary(variability)


def reading(made: Scene) -> Reading:
    return read(analyse(made.done()))


@pytest.mark.parametrize("variability", [4.0, 8.0, 12.0])
@pytest.mark.parametrize("seed", [1, 2])
def test_late_and_variable_are_told_apart(variability: float, seed: int) -> None:
    late, variable = (reading(made) for made in (scene(variability, seed).late(), scene(variability, seed).variable()))
    for kind in (figo_kind, nice_kind, nichd_kind):
        names = Counter(kind(event) for event in late.decelerations)
        assert names["late"] >= 0.8 * sum(names.values())
        names = Counter(kind(event) for event in variable.decelerations)
        assert names["variable"] >= 0.8 * sum(names.values())


def test_early_ones_mirror_the_contraction() -> None:
    names = Counter(figo_kind(event) for event in reading(scene(6.0).early(30.0)).decelerations)
    assert names["early"] >= 0.8 * sum(names.values())


def test_without_contractions_gradual_ones_have_no_name() -> None:
    found = reading(scene().late().tocogram_off(None))
    assert {figo_kind(event) for event in found.decelerations} <= {"gradual", "variable"}
    assert not any(event.related for event in found.decelerations)


def made(**changes: object) -> Deceleration:
    values = {"start_s": 130.0, "end_s": 210.0, "nadir_s": 175.0, "depth_bpm": 30.0, "onset_s": 40.0, "return_s": 35.0}
    return Deceleration(**{**values, "contraction": CONTRACTION, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("event", "figo", "nice", "nichd"),
    [
        (made(), "late", "late", "late"),
        (made(onset_s=10.0), "late", "variable", "variable"),
        (made(onset_s=10.0, return_s=10.0), "variable", "variable", "variable"),
        (made(onset_s=10.0, return_s=10.0, flat_s=60.0), "late", "late", "variable"),
        (made(nadir_s=150.0), "late", "early", "late"),
        (made(start_s=105.0, nadir_s=138.0, end_s=175.0), "early", "early", "early"),
        (made(end_s=175.0, nadir_s=165.0), "early", "early", "early"),
        (made(contraction=None), "gradual", "gradual", "gradual"),
        (made(end_s=255.0), "late", "late", "prolonged"),
        (made(end_s=330.0), "prolonged", "prolonged", "prolonged"),
    ],
)
def test_names_by_definition(event: Deceleration, figo: str, nice: str, nichd: str) -> None:
    assert (figo_kind(event), nice_kind(event), nichd_kind(event)) == (figo, nice, nichd)


def test_shallow_dips_count_only_outside_the_variability() -> None:
    flat = reading(scene(2.0).late(9.0))
    assert len(flat.dips) >= 8
    assert not flat.decelerations
    assert len(reading(scene(13.0).late(7.0)).dips) <= 3


def test_preterm_accelerations_are_smaller() -> None:
    small = Scene(40, 5).level((0.0, 150.0)).vary(6.0).accelerate(5, 12, 20)
    analysis = analyse(small.done("antepartum"))
    assert len(read(analysis, "antepartum", 200.0).accelerations) > len(
        read(analysis, "antepartum", 250.0).accelerations
    )


def test_a_short_loss_does_not_end_a_deceleration() -> None:
    found = reading(scene().fall(25, 80, 7).lose(28, 28.8))
    assert [event for event in found.decelerations if event.duration_s > 380]


def test_an_event_keeps_its_measures_when_it_is_stored() -> None:
    event = made(area_bpm_s=900.0).as_event()
    assert (event.kind, event.lag_s, event.area_bpm_s, event.peak) == ("late", 35.0, 900.0, 30.0)
    assert np.isclose(event.duration_s, 80.0)
