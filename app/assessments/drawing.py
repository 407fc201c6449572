"""Growth chart and lead-time curve as SVG that shows without scripts and prints.

Colours come from classes in ``app.css``, so both themes and black-and-white print work. The trace is drawn by
`models.ctg.strip`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.growth.measures import EFW, LABELS
from models.growth.standard import Standard


@dataclass(frozen=True)
class VisitPoint:
    """One visit on a growth chart; the current one is drawn larger."""

    weeks: float
    value: float
    current: bool


@lru_cache(maxsize=32)
def _curves(standard: Standard) -> dict[str, NDArray[np.float64]]:
    """Centiles of a chart; the standards are constants, and computing one takes 10 ms."""
    return standard.curves()


def growth_svg(standard: Standard, points: Sequence[VisitPoint]) -> str:
    """A growth chart with every visit.

    Parameters
    ----------
    standard : Standard
        Its 3rd, 10th, 50th, 90th and 97th centiles are drawn.
    points : sequence of VisitPoint
    """
    curves = _curves(standard)
    weeks = curves["weeks"]
    unit = "g" if standard.measure == EFW else "mm"
    first, last = standard.first_week, standard.last_week
    values = [point.value for point in points]
    bottom, top = min([float(curves["3"][0]), *values]), max([float(curves["97"][-1]), *values])
    step = next(s for s in (5, 10, 20, 40, 500, 1000) if (top - bottom) / s <= 9)
    bottom, top = step * (bottom // step), step * -(-top // step)

    def x(value: float) -> float:
        return 40 + (value - first) / (last - first) * 420

    def y(value: float) -> float:
        return 270 - (value - bottom) / (top - bottom) * 260

    label = f"{LABELS[standard.measure]} by gestational age"
    parts = [f'<svg class="growth" viewBox="0 0 500 300" role="img" aria-label="{label}">']
    for week in range(first, last + 1, 2):
        parts.append(f'<line class="grid" x1="{x(week):.1f}" x2="{x(week):.1f}" y1="10" y2="270"/>')
        parts.append(f'<text class="axis" x="{x(week):.1f}" y="284" text-anchor="middle">{week}</text>')
    for tick in range(int(bottom), int(top) + 1, step):
        parts.append(f'<line class="grid" x1="40" x2="460" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>')
        parts.append(f'<text class="axis" x="36" y="{y(tick) + 4:.1f}" text-anchor="end">{tick}</text>')
    for name, curve in curves.items():
        if name == "weeks":
            continue
        line = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in zip(weeks, curve, strict=True))
        parts.append(f'<polyline class="centile c{name}" fill="none" points="{line}"/>')
        parts.append(f'<text class="axis" x="464" y="{y(float(curve[-1])) + 4:.1f}">{name}</text>')
    shown = sorted((p for p in points if first - 1 <= p.weeks <= last + 1), key=lambda p: p.weeks)
    if len(shown) > 1:
        line = " ".join(f"{x(p.weeks):.1f},{y(p.value):.1f}" for p in shown)
        parts.append(f'<polyline class="course" fill="none" points="{line}"/>')
    for point in shown:
        title = escape(f"{point.weeks:.1f} weeks: {point.value:.1f} {unit}")
        spot = f'cx="{x(point.weeks):.1f}" cy="{y(point.value):.1f}" r="{5.0 if point.current else 3.5}"'
        parts.append(f'<circle class="visit" {spot}><title>{title}</title></circle>')
    words = f"weeks ({LABELS[standard.measure].lower()}, {unit})"
    parts.append(f'<text class="axis" x="250" y="298" text-anchor="middle">{words}</text></svg>')
    return "".join(parts)


def lead_time_svg(points: Sequence[dict[str, Any]], thresholds: tuple[float, float]) -> str:
    """The probability of distress with the last minutes hidden, from an hour before the end to the end.

    Parameters
    ----------
    points : sequence of dict
        ``hidden_min`` and ``probability`` (None where it cannot be assessed).
    thresholds : (float, float)
        Thresholds of raised and high, drawn as lines.
    """
    assessable = [point for point in points if point["probability"] is not None]
    top = max([0.5, *[float(point["probability"]) for point in assessable]])
    longest = max(int(point["hidden_min"]) for point in points)

    def x(hidden: float) -> float:
        return 40 + (longest - hidden) / longest * 300

    def y(probability: float) -> float:
        return 100 - probability / top * 90

    label = "Probability of distress with the last minutes hidden"
    parts = [f'<svg class="lead" viewBox="0 0 400 124" role="img" aria-label="{label}">']
    for threshold, name in zip(thresholds, ("raised", "high"), strict=True):
        if threshold <= top:
            parts.append(f'<line class="cut" x1="40" x2="340" y1="{y(threshold):.1f}" y2="{y(threshold):.1f}"/>')
            parts.append(f'<text class="axis" x="344" y="{y(threshold) + 4:.1f}">{name}</text>')
    for share in (0.0, top):
        parts.append(f'<text class="axis" x="34" y="{y(share) + 4:.1f}" text-anchor="end">{100 * share:.0f}</text>')
    for point in points:
        hidden = int(point["hidden_min"])
        label = "end" if hidden == 0 else f"-{hidden}"
        parts.append(f'<text class="axis" x="{x(hidden):.1f}" y="116" text-anchor="middle">{label}</text>')
    line = " ".join(f"{x(p['hidden_min']):.1f},{y(p['probability']):.1f}" for p in assessable)
    parts.append(f'<polyline class="course" fill="none" points="{line}"/>')
    for point in assessable:
        words = escape(f"{point['hidden_min']} min before the end: {100 * point['probability']:.0f} %")
        spot = f'cx="{x(point["hidden_min"]):.1f}" cy="{y(point["probability"]):.1f}" r="3.5"'
        parts.append(f'<circle class="visit" {spot}><title>{words}</title></circle>')
    return "".join(parts) + "</svg>"
