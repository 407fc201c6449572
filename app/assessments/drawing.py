"""Trace and growth chart as SVG with presentation attributes only: they show without scripts and print.

Colours come from classes in ``app.css``, so both themes and black-and-white print work.
"""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.ctg.analysis import CtgAnalysis
from models.ctg.recording import CtgRecording
from models.ultrasound.standards import centile_curves

Array = NDArray[np.float64]
FHR_LOW, FHR_HIGH = 50.0, 210.0
SECONDS_PER_UNIT = 3.0  # 1 cm/min at 20 units a cm
_FHR_TOP, _FHR_HEIGHT = 8.0, 320.0  # 30 bpm a cm = 60 units; 160 bpm
_UC_TOP, _UC_HEIGHT = 346.0, 100.0
_LEFT = 44.0


def runs(values: Array) -> list[tuple[int, int]]:
    """Start and end of each stretch without a lost value."""
    present = np.concatenate([[False], np.isfinite(values), [False]])
    edges = np.flatnonzero(present[1:] != present[:-1])
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _path(seconds: Array, values: Array, to_y: Any) -> str:
    parts = []
    for start, end in runs(values):
        points = [
            f"{_LEFT + s / SECONDS_PER_UNIT:.1f} {to_y(v):.1f}"
            for s, v in zip(seconds[start:end], values[start:end], strict=True)
        ]
        parts.append("M" + " L".join(points))
    return "".join(parts)


def _fhr_y(value: float) -> float:
    return _FHR_TOP + _FHR_HEIGHT * (FHR_HIGH - min(max(value, FHR_LOW), FHR_HIGH)) / (FHR_HIGH - FHR_LOW)


def thin(ctg: CtgRecording, rate_hz: float = 1.0) -> tuple[Array, Array, Array | None]:
    """Time, heart rate and tocogram at about `rate_hz`, by taking samples, never by bridging gaps."""
    step = max(1, round(ctg.sampling_rate_hz / rate_hz))
    toco = ctg.toco[::step] if ctg.toco is not None else None
    return ctg.time_s[::step], ctg.fhr_bpm[::step], toco


def trace_svg(ctg: CtgRecording, analysis: CtgAnalysis, *, compact: bool = False) -> str:
    """The trace on its grid: band 110-160, ten-minute lines, events, baseline; gaps are gaps.

    Parameters
    ----------
    compact : bool
        A thumbnail: the heart rate alone, scaled to its box.
    """
    seconds, heart, toco = thin(ctg, 0.25 if compact else 1.0)
    width = _LEFT + ctg.duration_s / SECONDS_PER_UNIT + 8
    height = _FHR_TOP + _FHR_HEIGHT + 8 if compact else _UC_TOP + _UC_HEIGHT + 24
    shape = 'preserveAspectRatio="none"' if compact else f'width="{width:.0f}" height="{height:.0f}"'
    label = "Fetal heart rate" if compact else "Fetal heart rate and uterine activity over time"
    parts = [f'<svg class="trace" viewBox="0 0 {width:.0f} {height:.0f}" {shape} role="img" aria-label="{label}">']
    band_top, band_end = _fhr_y(160), _fhr_y(110)
    parts.append(
        f'<rect class="band" x="{_LEFT}" y="{band_top:.1f}" width="{width - _LEFT - 8:.1f}" '
        f'height="{band_end - band_top:.1f}"/>'
    )
    if not compact:
        parts += _grid(ctg.duration_s)
        parts += _marks(analysis.accelerations, "acceleration", _FHR_TOP)
        parts += _marks(analysis.decelerations, "deceleration", _FHR_TOP + _FHR_HEIGHT - 8)
        parts += _marks(analysis.contractions, "contraction", _UC_TOP + _UC_HEIGHT - 6)
        level: Array = analysis.baseline_trace_bpm[::15]
        base = _path(np.arange(len(level), dtype=np.float64) * 15.0, level, _fhr_y)
        parts.append(f'<path class="baseline" fill="none" d="{base}"/>')
        if toco is not None:
            top = max(100.0, float(np.nanmax(toco)))
            curve = _path(seconds, toco, lambda v: _UC_TOP + _UC_HEIGHT * (1 - min(max(v, 0), top) / top))
            parts.append(f'<path class="toco" fill="none" d="{curve}"/>')
        else:
            parts.append(f'<text class="axis" x="{_LEFT + 8}" y="{_UC_TOP + 50}">no tocogram</text>')
    parts.append(f'<path class="fhr" fill="none" d="{_path(seconds, heart, _fhr_y)}"/></svg>')
    return "".join(parts)


def _grid(duration_s: float) -> Iterable[str]:
    right = _LEFT + duration_s / SECONDS_PER_UNIT
    for bpm in range(50, 211, 10):
        y = _fhr_y(bpm)
        strong = " strong" if bpm % 30 == 0 else ""
        yield f'<line class="grid{strong}" x1="{_LEFT}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        if bpm % 30 == 0:
            yield f'<text class="axis" x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{bpm}</text>'
    for share in (0, 50, 100):
        y = _UC_TOP + _UC_HEIGHT * (1 - share / 100)
        yield f'<line class="grid" x1="{_LEFT}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
    for minute in range(int(duration_s // 60) + 1):
        x = _LEFT + minute * 60 / SECONDS_PER_UNIT
        strong = " strong" if minute % 10 == 0 else ""
        for top, height in ((_FHR_TOP, _FHR_HEIGHT), (_UC_TOP, _UC_HEIGHT)):
            yield f'<line class="grid{strong}" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{top + height}"/>'
        if minute % 10 == 0:
            y = _UC_TOP + _UC_HEIGHT + 16
            yield f'<text class="axis" x="{x:.1f}" y="{y}" text-anchor="middle">{minute} min</text>'


def _marks(events: Sequence[Any], kind: str, y: float) -> Iterable[str]:
    for event in events:
        x, length = _LEFT + event.start_s / SECONDS_PER_UNIT, event.duration_s / SECONDS_PER_UNIT
        minute, second = divmod(int(event.start_s), 60)
        title = escape(f"{kind} at {minute}:{second:02d}, {event.duration_s:.0f} s, {event.peak:.0f}")
        yield f'<rect class="{kind}" x="{x:.1f}" y="{y}" width="{length:.1f}" height="8"><title>{title}</title></rect>'


def growth_svg(points: Sequence[tuple[float, float, bool]]) -> str:
    """The growth chart of the head circumference with every visit.

    Parameters
    ----------
    points : sequence of (weeks, mm, current)
        Visits; the current one is drawn larger.
    """
    curves = centile_curves()
    weeks = curves["weeks"]

    def x(value: float) -> float:
        return 40 + (value - 14) / 26 * 420

    def y(value: float) -> float:
        return 270 - (value - 60) / 320 * 260

    parts = ['<svg class="growth" viewBox="0 0 500 300" role="img" aria-label="Head circumference by gestational age">']
    for week in range(14, 41, 2):
        parts.append(f'<line class="grid" x1="{x(week):.1f}" x2="{x(week):.1f}" y1="10" y2="270"/>')
        parts.append(f'<text class="axis" x="{x(week):.1f}" y="284" text-anchor="middle">{week}</text>')
    for mm in range(60, 381, 40):
        parts.append(f'<line class="grid" x1="40" x2="460" y1="{y(mm):.1f}" y2="{y(mm):.1f}"/>')
        parts.append(f'<text class="axis" x="36" y="{y(mm) + 4:.1f}" text-anchor="end">{mm}</text>')
    for name, values in curves.items():
        if name == "weeks":
            continue
        line = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in zip(weeks, values, strict=True))
        parts.append(f'<polyline class="centile c{name}" fill="none" points="{line}"/>')
        parts.append(f'<text class="axis" x="464" y="{y(float(values[-1])) + 4:.1f}">{name}</text>')
    for age, size, current in points:
        if 13 <= age <= 41:
            radius = 5.0 if current else 3.5
            title = escape(f"{age:.1f} weeks: {size:.1f} mm")
            spot = f'cx="{x(age):.1f}" cy="{y(size):.1f}" r="{radius}"'
            parts.append(f'<circle class="visit" {spot}><title>{title}</title></circle>')
    parts.append('<text class="axis" x="250" y="298" text-anchor="middle">weeks (head circumference, mm)</text></svg>')
    return "".join(parts)
