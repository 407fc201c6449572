"""What is there, what is doubtful, and where contractions are known."""

from dataclasses import replace

import numpy as np
import pytest

from models.ctg.analysis import analyse
from models.ctg.guidelines import classify
from models.ctg.reading import Reading, read
from models.ctg.reading.spans import Span, inside, merged, spans
from models.ctg.reading.variability import running_centile
from models.ctg.recording import recording
from models.synthetic.scenes import Scene


def reading(made: Scene, stage: str = "labour") -> Reading:
    return read(analyse(made.done(stage)), stage)


def calm(minutes: float = 60.0, every_s: float = 180.0, bpm: float = 140.0) -> Scene:
    return Scene(minutes, 1, every_s).level((0.0, bpm)).vary(10.0)


def test_very_low_rates_are_kept_and_named() -> None:
    found = reading(calm().fall(48, 44, 12))
    assert np.nanmedian(found.grid_bpm[-300:]) == pytest.approx(44, abs=2)
    assert any("30 to 50 bpm" in doubt.words for doubt in found.doubts)
    assert analyse(calm().fall(48, 44, 12).done()).quality.loss > 0.1  # the models measure from 50 bpm on


def test_a_display_that_stands_still_at_a_low_rate_is_not_hidden() -> None:
    made = calm()
    made.heart[-8 * 240 :] = 68.0
    assert reading(made).bradycardias[-1].running
    made.heart[-8 * 240 :] = 140.0
    assert np.isnan(reading(made).grid_bpm[-240:]).all()


@pytest.mark.parametrize(
    ("made", "running"),
    [
        (calm().fall(56, 85, 4), True),
        (calm().fall(40, 85, 5), False),
        (calm(bpm=158).fall(54, 114, 6), True),
        (calm().fall(54, 112, 6), None),
        (calm().fall(58, 70, 2), None),
    ],
)
def test_acute_bradycardia(made: Scene, running: bool | None) -> None:
    found = [slow.running for slow in reading(made).bradycardias]
    assert found == ([] if running is None else [running])


@pytest.mark.parametrize(("value", "share"), [(None, 0.0), (0.0, 0.0), (14.0, 0.0), (127.0, 0.0), (200.0, 0.0)])
def test_a_tocogram_that_shows_nothing(value: float | None, share: float) -> None:
    found = reading(calm().tocogram_off(value))
    assert found.contractions_known.mean() == share
    assert not found.contractions


def test_a_tocogram_that_is_off_at_the_end() -> None:
    found = reading(calm().tocogram_off(9.0, 40))
    assert found.contractions_known[: 36 * 60].all()
    assert not found.contractions_known[45 * 60 :].any()


def test_silence_means_a_fault_in_labour_only() -> None:
    rare = calm(60, every_s=1700.0)
    rare.toco += 2.0 * np.sin(rare.time / 40.0)
    assert reading(rare).contractions_known.mean() < 0.6
    assert reading(rare, "antepartum").contractions_known.all()


@pytest.mark.parametrize("width", [3.0, 8.0, 16.0, 30.0])
def test_bandwidth_of_a_known_variability(width: float) -> None:
    found = reading(Scene(40, 3).level((0.0, 140.0)).vary(width))
    assert np.nanmedian(found.bandwidth_bpm) == pytest.approx(width, rel=0.12)


def test_variability_without_events() -> None:
    found = reading(Scene(40, 3).level((0.0, 140.0)).vary(3.0).late(12.0))
    assert np.nanmedian(found.bandwidth_bpm) == pytest.approx(3.0, rel=0.25)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (calm().multiply(0.5, 45, None), "by a factor of one half"),
        (calm(bpm=76).multiply(2.0, 40, None), "by a factor of two"),
        (calm().mother(40), "the mother's pulse"),
        (calm(bpm=126).alternate(24), "two fetuses"),
    ],
)
def test_doubts_are_named(made: Scene, words: str) -> None:
    assert any(words in doubt.words for doubt in reading(made).doubts)


@pytest.mark.parametrize("made", [calm(), calm().late(), calm().variable(60, 45), calm().fall(30, 85, 6)])
def test_ordinary_traces_raise_no_doubt(made: Scene) -> None:
    assert reading(made).doubts == ()


def test_the_mothers_channel_wins_over_what_the_fetal_channel_shows() -> None:
    made = calm().mother(40).done()
    mother = np.where(np.arange(len(made.fhr_bpm)) >= 40 * 240, made.fhr_bpm, 84.0)
    found = read(analyse(replace(made, mhr_bpm=mother)))
    assert np.isnan(found.grid_bpm[45 * 60 :]).mean() > 0.9


def test_spans() -> None:
    holds = np.array([1, 1, 0, 1, 1, 1, 0, 0, 1], dtype=bool)
    assert spans(holds, 10.0) == [Span(0, 20), Span(30, 60), Span(80, 90)]
    assert spans(holds, 10.0, tolerance_s=10.0) == [Span(0, 60), Span(80, 90)]
    assert spans(holds, 10.0, tolerance_s=10.0, least_s=20.0) == [Span(0, 60)]
    assert merged([Span(5, 9), Span(0, 6)]) == [Span(0, 9)]
    assert inside([Span(1.2, 2.5)], 5).tolist() == [False, True, True, False, False]


def test_a_running_centile_needs_three_measures() -> None:
    values = np.array([1.0, np.nan, np.nan, 9.0, 5.0, 7.0])
    assert np.isnan(running_centile(values, 60)[0])
    assert running_centile(values, 300)[4] == pytest.approx(6.0)


@pytest.mark.parametrize(
    ("samples", "rate"), [(1, 4.0), (3, 4.0), (5, 4.0), (40, 4.0), (236, 4.0), (1, 0.5), (45, 1.0)]
)
@pytest.mark.parametrize("with_toco", [False, True])
def test_less_than_a_minute_is_read_as_nothing(samples: int, rate: float, with_toco: bool) -> None:
    toco = np.full(samples, 10.0) if with_toco else None
    found = read(analyse(recording(np.full(samples, 140.0) + np.arange(samples) % 3, toco, rate, "test", "labour")))
    assert np.isnan(found.baseline_bpm).all()
    assert found.decelerations == ()
    for answer in classify(found, "unknown"):
        assert answer.severity in {None, 1}


def test_the_baseline_is_not_drawn_where_the_signal_is_lost() -> None:
    found = reading(calm().lose(44))
    assert np.isnan(found.drawn_baseline_bpm[45 * 60 :]).all()
    assert np.isfinite(found.drawn_baseline_bpm[: 43 * 60]).all()
    assert found.last_readable_s == pytest.approx(44 * 60, abs=2)
