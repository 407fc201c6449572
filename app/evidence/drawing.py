"""Reliability, decision curves and drift as SVG with presentation attributes only; colours come from ``app.css``."""

from collections.abc import Callable, Sequence
from html import escape

from models.evaluation.held_out import Bin, Decisions

Scale = Callable[[float], float]
LEFT, RIGHT, TOP, BOTTOM = 44, 344, 10, 210


def _frame(
    label: str, x: Scale, y: Scale, xs: Sequence[float], ys: Sequence[float], words: tuple[str, str]
) -> list[str]:
    parts = [f'<svg class="plot" viewBox="0 0 360 248" role="img" aria-label="{escape(label)}">']
    for value in xs:
        parts.append(f'<line class="grid" x1="{x(value):.1f}" x2="{x(value):.1f}" y1="{TOP}" y2="{BOTTOM}"/>')
        parts.append(f'<text class="axis" x="{x(value):.1f}" y="{BOTTOM + 14}" text-anchor="middle">{value:g}</text>')
    for value in ys:
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>')
        parts.append(f'<text class="axis" x="{LEFT - 4}" y="{y(value) + 4:.1f}" text-anchor="end">{value:g}</text>')
    parts.append(
        f'<text class="axis" x="{(LEFT + RIGHT) / 2}" y="{BOTTOM + 32}" text-anchor="middle">{words[0]}</text>'
    )
    middle = (TOP + BOTTOM) / 2
    turned = f'transform="rotate(-90 12 {middle})" text-anchor="middle"'
    parts.append(f'<text class="axis" x="12" y="{middle}" {turned}>{words[1]}</text>')
    return parts


def _scale(first: float, last: float, start: float, end: float) -> Scale:
    return lambda value: start + (min(max(value, first), last) - first) / (last - first) * (end - start)


def reliability_svg(bins: Sequence[Bin], label: str) -> str:
    """Observed against predicted shares: one dot with its interval for each group; the diagonal is perfect."""
    x, y = _scale(0, 100, LEFT, RIGHT), _scale(0, 100, BOTTOM, TOP)
    ticks = (0, 20, 40, 60, 80, 100)
    parts = _frame(label, x, y, ticks, ticks, ("predicted, %", "observed, % (95 % interval)"))
    parts.append(f'<line class="cut" x1="{x(0)}" x2="{x(100)}" y1="{y(0)}" y2="{y(100)}"/>')
    for group in bins:
        at = x(100 * group.predicted)
        title = f"predicted {100 * group.predicted:.0f} %, observed {100 * group.observed:.0f} %"
        title += f" ({group.events} of {group.rows})"
        low, high, middle = (f"{y(100 * value):.1f}" for value in (group.low, group.high, group.observed))
        parts.append(f'<line class="course" x1="{at:.1f}" x2="{at:.1f}" y1="{low}" y2="{high}"/>')
        parts.append(f'<circle class="visit" cx="{at:.1f}" cy="{middle}" r="4"><title>{title}</title></circle>')
    return "".join(parts) + "</svg>"


def decisions_svg(curve: Decisions, label: str) -> str:
    """Net benefit of acting above a threshold, with its band, beside always and never acting."""
    top = max([*curve.high, 0.01])
    step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2) if top / s <= 6)
    lowest = -step
    x, y = _scale(2, 20, LEFT, RIGHT), _scale(lowest, step * -(-top // step), BOTTOM, TOP)
    ys = [round(lowest + step * k, 3) for k in range(round((step * -(-top // step) - lowest) / step) + 1)]
    parts = _frame(label, x, y, (2, 5, 10, 15, 20), ys, ("threshold, %", "net benefit (95 % band)"))

    def points(values: Sequence[float]) -> list[str]:
        return [f"{x(100 * at):.1f},{y(value):.1f}" for at, value in zip(curve.thresholds, values, strict=True)]

    around = " ".join([*points(curve.high), *reversed(points(curve.low))])
    parts.append(f'<polygon class="spread" points="{around}"/>')
    parts.append(f'<polyline class="always" fill="none" points="{" ".join(points(curve.treat_all))}"/>')
    parts.append(f'<line class="cut" x1="{LEFT}" x2="{RIGHT}" y1="{y(0):.1f}" y2="{y(0):.1f}"/>')
    parts.append(f'<polyline class="course" fill="none" points="{" ".join(points(curve.value))}"/>')
    return "".join(parts) + "</svg>"
