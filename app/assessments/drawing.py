"""Growth chart and lead-time curve as SVG with presentation attributes only: they show without scripts and print.

Colours come from classes in ``app.css``, so both themes and black-and-white print work. The trace is drawn by
`models.ctg.strip`.
"""

from collections.abc import Sequence
from html import escape
from typing import Any

from models.ultrasound.standards import centile_curves


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


def lead_time_svg(points: Sequence[dict[str, Any]], cuts: tuple[float, float]) -> str:
    """The probability of distress with the last minutes hidden, from an hour before the end to the end.

    Parameters
    ----------
    points : sequence of dict
        ``hidden_min`` and ``probability`` (None where it cannot be assessed).
    cuts : (float, float)
        Raised and high, drawn as lines.
    """
    known = [point for point in points if point["probability"] is not None]
    top = max([0.5, *[float(point["probability"]) for point in known]])
    longest = max(int(point["hidden_min"]) for point in points)

    def x(hidden: float) -> float:
        return 40 + (longest - hidden) / longest * 300

    def y(probability: float) -> float:
        return 100 - probability / top * 90

    label = "Probability of distress with the last minutes hidden"
    parts = [f'<svg class="lead" viewBox="0 0 400 124" role="img" aria-label="{label}">']
    for cut, name in zip(cuts, ("raised", "high"), strict=True):
        if cut <= top:
            parts.append(f'<line class="cut" x1="40" x2="340" y1="{y(cut):.1f}" y2="{y(cut):.1f}"/>')
            parts.append(f'<text class="axis" x="344" y="{y(cut) + 4:.1f}">{name}</text>')
    for share in (0.0, top):
        parts.append(f'<text class="axis" x="34" y="{y(share) + 4:.1f}" text-anchor="end">{100 * share:.0f}</text>')
    for point in points:
        hidden = int(point["hidden_min"])
        label = "end" if hidden == 0 else f"-{hidden}"
        parts.append(f'<text class="axis" x="{x(hidden):.1f}" y="116" text-anchor="middle">{label}</text>')
    line = " ".join(f"{x(p['hidden_min']):.1f},{y(p['probability']):.1f}" for p in known)
    parts.append(f'<polyline class="course" fill="none" points="{line}"/>')
    for point in known:
        words = escape(f"{point['hidden_min']} min before the end: {100 * point['probability']:.0f} of 100")
        spot = f'cx="{x(point["hidden_min"]):.1f}" cy="{y(point["probability"]):.1f}" r="3.5"'
        parts.append(f'<circle class="visit" {spot}><title>{words}</title></circle>')
    return "".join(parts) + "</svg>"
