"""The strip prints at its true size, shows gaps as gaps, and says its speed and scale."""

import re

import numpy as np
import pytest

from models.ctg.analysis import analyse
from models.ctg.reading import read
from models.ctg.recording import CtgRecording
from models.ctg.strip import FHR_HIGH, FHR_LOW, Marks, Paper, runs, strip_pdf, strip_svg, thumbnail_svg
from models.errors import RangeError
from models.synthetic.traces import trace

LABOUR = trace(minutes=30, accelerations=2, late_decelerations=True, loss=0.0, seed=1).recording
MM_PER_UNIT = 0.5


def marks(recording: CtgRecording) -> Marks:
    """What is drawn over a recording."""
    return Marks.of(read(analyse(recording)))


@pytest.mark.parametrize("speed", [1, 2, 3])
@pytest.mark.parametrize("scale", [20, 30])
def test_a_minute_and_a_beat_have_their_length_on_paper(speed: int, scale: int) -> None:
    paper = Paper(speed, scale)
    assert (paper.x(60) - paper.x(0)) * MM_PER_UNIT == pytest.approx(10 * speed)
    assert (paper.y(120) - paper.y(120 + scale)) * MM_PER_UNIT == pytest.approx(10)
    svg = strip_svg(LABOUR, marks(LABOUR), paper, title="x")
    width = float(re.findall(r'width="([\d.]+)mm"', svg)[0])
    assert width == pytest.approx(30 * 10 * speed, abs=40)
    assert f"{speed} cm/min, {scale} bpm/cm. Research prototype" in svg


def test_other_speeds_and_scales_are_refused() -> None:
    for speed, scale in ((0, 30), (4, 30), (1, 25)):
        with pytest.raises(RangeError):
            Paper(speed, scale)


def test_rates_beyond_the_grid_are_held_at_its_edge() -> None:
    paper = Paper()
    assert paper.y(300) == paper.y(FHR_HIGH)
    assert paper.y(20) == paper.y(FHR_LOW)


def test_gaps_are_gaps() -> None:
    assert runs(np.array([1, 2, np.nan, np.nan, 3.0])) == [(0, 2), (4, 5)]
    heart = LABOUR.fhr_bpm.copy()
    heart[2000:2400] = np.nan
    gappy = CtgRecording(heart, LABOUR.toco, 4.0, "test")
    curve = re.findall(r'<path class="fhr"[^>]* d="([^"]*)"', strip_svg(gappy, marks(gappy)))[0]
    assert curve.count("M") == 2


def test_events_carry_their_kind_lag_and_letter() -> None:
    svg = strip_svg(LABOUR, marks(LABOUR))
    assert svg.count('class="deceleration"') == len(marks(LABOUR).decelerations)
    assert "late deceleration at" in svg
    assert "s from the acme" in svg
    assert ">L</text>" in svg
    assert "<script" not in svg
    assert "style=" not in svg


def test_a_title_cannot_break_the_drawing() -> None:
    svg = strip_svg(LABOUR, marks(LABOUR), title='<b>&"')
    assert "&lt;b&gt;&amp;" in svg


def test_without_a_tocogram_it_says_so_and_a_thumbnail_is_only_the_heart() -> None:
    bare = CtgRecording(LABOUR.fhr_bpm, None, 4.0, "test")
    assert "no tocogram" in strip_svg(bare, marks(bare))
    assert 'class="toco"' not in thumbnail_svg(LABOUR)


def test_the_pdf_has_one_page_of_the_strips_size() -> None:
    content = strip_pdf(strip_svg(LABOUR, marks(LABOUR), Paper(1), title="x"))
    assert content.startswith(b"%PDF")
    assert content.count(b"/Type /Page\n") == 1
    width, height = (float(n) for n in re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", content)[0])
    assert width / height > 2
