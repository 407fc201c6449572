"""The CTG strip: an SVG that prints at its true size, with classes for a style sheet.

Presentation attributes give the strip its colours where it is shown alone. The style sheet of a page overrides them.
"""

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from models.ctg.analysis import BASELINE_STEP_S
from models.ctg.events import Event
from models.ctg.reading import Reading
from models.ctg.recording import CtgRecording
from models.errors import RangeError

Array = NDArray[np.float64]
FHR_LOW, FHR_HIGH = 50.0, 210.0
SPEEDS_CM_MIN = (1, 2, 3)
SCALES_BPM_CM = (20, 30)
_MM_PER_UNIT = 0.5  # 20 units a cm
_PER_CM = 20.0
_LEFT, _TOP, _GAP, _RIGHT = 44.0, 8.0, 18.0, 22.0
_UC_HEIGHT = 100.0
_MARGIN = 24.0
INK = {
    "band": 'fill="#eaf3ea"',
    "grid": 'stroke="#ecd9cf" stroke-width="0.6"',
    "grid strong": 'stroke="#d9b7a6" stroke-width="1"',
    "axis": 'fill="#56616b" font-family="Helvetica, Arial, sans-serif" font-size="11"',
    "fhr": 'stroke="#1a1a1a" stroke-width="1" fill="none"',
    "toco": 'stroke="#1f5c7a" stroke-width="1.2" fill="none"',
    "baseline": 'stroke="#7a4cc2" stroke-width="1.4" stroke-dasharray="6 3" fill="none"',
    "acceleration": 'fill="#1d6b3c"',
    "deceleration": 'fill="#a3162a"',
    "contraction": 'fill="#1f5c7a" fill-opacity="0.55"',
    "lost": 'fill="#5a6068" fill-opacity="0.12"',
}
LETTERS = {"early": "E", "late": "L", "variable": "V", "prolonged": "P", "gradual": "G"}


@dataclass(frozen=True)
class Marks:
    """What is drawn over a trace: all that a strip needs of an analysis, so that it can be drawn from a stored one.

    Attributes
    ----------
    baseline_bpm : ndarray of float64, shape (n,)
        One value for each `BASELINE_STEP_S`; NaN where there is none.
    accelerations, decelerations, contractions : sequence of Event
    """

    baseline_bpm: Array
    accelerations: Sequence[Event]
    decelerations: Sequence[Event]
    contractions: Sequence[Event]

    @classmethod
    def of(cls, reading: Reading) -> "Marks":
        """Take the marks from a fresh reading."""
        return cls(
            baseline_bpm=reading.drawn_baseline_bpm[::BASELINE_STEP_S],
            accelerations=reading.accelerations,
            decelerations=[event.as_event() for event in reading.decelerations],
            contractions=reading.contractions,
        )


@dataclass(frozen=True)
class Paper:
    """Paper speed and scale; both are printed on every strip.

    Attributes
    ----------
    speed_cm_min : int
        1, 2 or 3.
    bpm_per_cm : int
        20 or 30.
    """

    speed_cm_min: int = 1
    bpm_per_cm: int = 30

    def __post_init__(self) -> None:
        if self.speed_cm_min not in SPEEDS_CM_MIN:
            raise RangeError(f"paper speed {self.speed_cm_min} cm/min: one of 1, 2, 3")
        if self.bpm_per_cm not in SCALES_BPM_CM:
            raise RangeError(f"scale {self.bpm_per_cm} bpm/cm: 20 or 30")

    @property
    def seconds_per_unit(self) -> float:
        """Seconds across one unit of the drawing."""
        return 60.0 / (self.speed_cm_min * _PER_CM)

    @property
    def fhr_height(self) -> float:
        """Height of the heart-rate grid, units."""
        return (FHR_HIGH - FHR_LOW) / self.bpm_per_cm * _PER_CM

    def x(self, second: float) -> float:
        """Horizontal position of a time in seconds."""
        return _LEFT + second / self.seconds_per_unit

    def y(self, bpm: float) -> float:
        """Vertical position of a heart rate, limited to the grid."""
        return _TOP + self.fhr_height * (FHR_HIGH - min(max(bpm, FHR_LOW), FHR_HIGH)) / (FHR_HIGH - FHR_LOW)

    @property
    def uc_top(self) -> float:
        """Top of the tocogram's grid."""
        return _TOP + self.fhr_height + _GAP


def runs(values: Array) -> list[tuple[int, int]]:
    """Start and end of each stretch without a lost value."""
    present = np.concatenate([[False], np.isfinite(values), [False]])
    edges = np.flatnonzero(present[1:] != present[:-1])
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def thin(ctg: CtgRecording, rate_hz: float = 1.0) -> tuple[Array, Array, Array | None]:
    """Time, heart rate and tocogram at about `rate_hz`, by picking samples. Gaps are never filled."""
    step = max(1, round(ctg.sampling_rate_hz / rate_hz))
    toco = ctg.toco[::step] if ctg.toco is not None else None
    return ctg.time_s[::step], ctg.fhr_bpm[::step], toco


def strip_svg(ctg: CtgRecording, marks: Marks, paper: Paper | None = None, *, title: str = "") -> str:
    """The whole strip: grid, band of 110 to 160 bpm, baseline, events with their kind, tocogram. Gaps stay gaps.

    Parameters
    ----------
    ctg : CtgRecording
        The recording before cleaning: artefacts that the analysis ignores are drawn, so that the reader sees them.
    marks : Marks
        Of a fresh reading, or of a stored one.
    title : str
        Title printed below the strip, with paper speed, scale and the notice.
    """
    paper = paper or Paper()
    seconds, heart, toco = thin(ctg, min(float(paper.speed_cm_min), 2.0))
    width = paper.x(ctg.duration_s) + _RIGHT
    height = paper.uc_top + _UC_HEIGHT + _MARGIN + (14.0 if title else 0.0)
    size = f'width="{width * _MM_PER_UNIT:.1f}mm" height="{height * _MM_PER_UNIT:.1f}mm"'
    label = "Fetal heart rate and uterine activity over time"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="trace" viewBox="0 0 {width:.0f} {height:.0f}" {size} '
        f'role="img" aria-label="{label}">',
        _band(paper, ctg.duration_s),
        *_grid(paper, ctg.duration_s),
        *_marks(paper, marks.accelerations, "acceleration", _TOP),
        *_marks(paper, marks.decelerations, "deceleration", _TOP + paper.fhr_height - 8),
        *_marks(paper, marks.contractions, "contraction", paper.uc_top + _UC_HEIGHT - 6),
    ]
    level = marks.baseline_bpm
    at_s = float(BASELINE_STEP_S) * np.arange(len(level), dtype=np.float64)
    parts.append(_curve("baseline", paper, at_s, level, paper.y))
    if toco is not None:
        top = max(100.0, float(np.nanmax(toco)))
        parts.append(
            _curve("toco", paper, seconds, toco, lambda v: paper.uc_top + _UC_HEIGHT * (1 - min(max(v, 0), top) / top))
        )
    else:
        parts.append(_text(_LEFT + 8, paper.uc_top + 50, "no tocogram", "start"))
    parts.append(_curve("fhr", paper, seconds, heart, paper.y))
    if title:
        scale = f"{paper.speed_cm_min} cm/min, {paper.bpm_per_cm} bpm/cm. Research prototype, not a medical device."
        parts.append(_text(_LEFT, height - 4, f"{title}. {scale}", "start"))
    return "".join(parts) + "</svg>"


def thumbnail_svg(ctg: CtgRecording) -> str:
    """The heart rate alone, scaled to the size of its element."""
    paper = Paper()
    seconds, heart, _ = thin(ctg, 0.25)
    width, height = paper.x(ctg.duration_s) + _RIGHT, _TOP + paper.fhr_height + 8
    box = f'viewBox="0 0 {width:.0f} {height:.0f}" preserveAspectRatio="none"'
    head = f'<svg class="trace" {box} role="img" aria-label="Fetal heart rate">'
    return head + _band(paper, ctg.duration_s) + _curve("fhr", paper, seconds, heart, paper.y) + "</svg>"


def _band(paper: Paper, duration_s: float) -> str:
    top, end = paper.y(160), paper.y(110)
    size = f'width="{paper.x(duration_s) - _LEFT:.1f}" height="{end - top:.1f}"'
    return f'<rect class="band" x="{_LEFT}" y="{top:.1f}" {size} {INK["band"]}/>'


def _curve(kind: str, paper: Paper, seconds: Array, values: Array, to_y: Callable[[float], float]) -> str:
    parts = []
    for start, end in runs(values):
        points = [f"{paper.x(s):.1f} {to_y(v):.1f}" for s, v in zip(seconds[start:end], values[start:end], strict=True)]
        parts.append("M" + " L".join(points))
    return f'<path class="{kind}" {INK[kind]} d="{"".join(parts)}"/>' if parts else ""


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text class="axis" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {INK["axis"]}>{escape(words)}</text>'


def _line(strong: bool, x1: float, x2: float, y1: float, y2: float) -> str:
    kind = "grid strong" if strong else "grid"
    return f'<line class="{kind}" x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:.1f}" y2="{y2:.1f}" {INK[kind]}/>'


def _grid(paper: Paper, duration_s: float) -> Iterable[str]:
    right = paper.x(duration_s)
    for bpm in range(int(FHR_LOW), int(FHR_HIGH) + 1, 10):
        strong = bpm % paper.bpm_per_cm == 0
        yield _line(strong, _LEFT, right, paper.y(bpm), paper.y(bpm))
        if strong:
            yield _text(_LEFT - 6, paper.y(bpm) + 4, str(bpm), "end")
    bottom = paper.uc_top + _UC_HEIGHT
    for share in (0.0, 0.5, 1.0):
        yield _line(False, _LEFT, right, bottom - share * _UC_HEIGHT, bottom - share * _UC_HEIGHT)
    for minute in range(int(duration_s // 60) + 1):
        x, strong = paper.x(60.0 * minute), minute % 10 == 0
        yield _line(strong, x, x, _TOP, _TOP + paper.fhr_height)
        yield _line(strong, x, x, paper.uc_top, bottom)
        if strong:
            yield _text(x, bottom + 16, f"{minute} min", "middle")


def _marks(paper: Paper, events: Sequence[Event], kind: str, y: float) -> Iterable[str]:
    for event in events:
        minute, second = divmod(int(event.start_s), 60)
        name = f"{event.kind} {kind}".strip()
        lag = f", nadir {event.lag_s:+.0f} s from the acme" if event.lag_s is not None else ""
        words = escape(f"{name} at {minute}:{second:02d}, {event.duration_s:.0f} s, {event.peak:.0f}{lag}")
        x, length = paper.x(event.start_s), event.duration_s / paper.seconds_per_unit
        size = f'width="{length:.1f}" height="8"'
        yield f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" {size} {INK[kind]}><title>{words}</title></rect>'
        if event.kind in LETTERS:
            yield _text(paper.x(event.peak_s), y - 3, LETTERS[event.kind], "middle")


def strip_pdf(svg: str) -> bytes:
    """The strip of `strip_svg` as a PDF with one page of the size of the strip."""
    from fpdf import FPDF

    width, height = (float(svg.split(f'{side}="')[1].split("mm")[0]) for side in ("width", "height"))
    page = FPDF(unit="mm", format=(width, height))
    page.set_margin(0)
    page.set_auto_page_break(False)
    page.add_page()
    page.set_font("Helvetica")
    page.image(io.BytesIO(svg.encode()), x=0, y=0, w=width, h=height)
    return bytes(page.output())
