"""Pictures of the fusion: the growth term, reliability, decision curves."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from numpy.typing import NDArray

from models.evaluation.decisions import CURVE, band, net_benefit, treat_all
from models.fusion.growth_odds import ANCHOR_Z, PUBLISHED_SD, growth_log_odds, growth_term
from studies.fusion.document import EVENTS, ways
from studies.fusion.stored_pairs import StoredPairs
from studies.plots import COLOURS, STYLE, reliability, save

Array = NDArray[np.float64]


def draw_fusion(stored: StoredPairs, experts: dict[str, Any] | None, folder: Path) -> list[Path]:
    """Write the three pictures."""
    with plt.rc_context(STYLE):
        return [_growth_term(folder), _reliability(stored, folder), _decisions(stored, experts, folder)]


def _growth_term(folder: Path) -> Path:
    figure, axis = plt.subplots(figsize=(5.6, 3.6))
    z = np.linspace(-3, 3, 121)
    axis.plot(z, np.exp(growth_log_odds(z)), color=COLOURS[0], label="g(z): against the median size")
    for head_only, style, label in ((False, "-", "term of a weight or abdomen"), (True, "--", "term of a head alone")):
        terms = [growth_term(float(score), 0.25, head_only) for score in z]
        axis.plot(z, np.exp([t.log_odds for t in terms]), style, color=COLOURS[1], linewidth=1, label=label)
    published = float(np.exp(growth_log_odds(np.array(ANCHOR_Z))))
    low, high = published * np.exp(-1.96 * PUBLISHED_SD), published * np.exp(1.96 * PUBLISHED_SD)
    axis.plot([ANCHOR_Z] * 2, [low, high], color="black", linewidth=1.2)
    axis.plot(ANCHOR_Z, published, "o", color="black", markersize=4, label="Yu 2017, below the 3rd centile")
    axis.axhline(1, color="#999", linewidth=0.8, linestyle="--")
    axis.set(xlabel="size, z-score", ylabel="odds ratio", yscale="log", yticks=[0.5, 1, 2, 4, 8])
    axis.set_yticklabels(["0.5", "1", "2", "4", "8"])
    axis.minorticks_off()
    axis.legend(frameon=False)
    return save(figure, folder / "evidence-growth-term.png")


def _reliability(stored: StoredPairs, folder: Path) -> Path:
    figure, axes = plt.subplots(1, 2, figsize=(8.4, 4.0))
    for axis, (target, name), colour in zip(axes, EVENTS.items(), COLOURS, strict=True):
        reliability(axis, stored.event(target), stored.fused(target)[0], colour, f"fused, {name}")
    return save(figure, folder / "evidence-fusion-reliability.png")


def _decisions(stored: StoredPairs, experts: dict[str, Any] | None, folder: Path) -> Path:
    compared = ways(stored)
    figure, axes = plt.subplots(1, 2, figsize=(9.6, 4.0))
    for axis, (target, name) in zip(axes, EVENTS.items(), strict=True):
        event = stored.event(target)
        for key, colour, label in (("ctg", COLOURS[0], "CTG only"), ("fused", COLOURS[1], "fused")):
            scores = compared[key].scores[target]

            def curve(rows: NDArray[np.int64], s: list[Array] = scores, e: NDArray[np.bool_] = event) -> Array:
                return np.array([np.mean([net_benefit(e[rows], score[rows], at) for score in s]) for at in CURVE])

            low, high = band(event, curve, draws=150)
            axis.fill_between(CURVE, low, high, color=colour, alpha=0.12, linewidth=0)
            axis.plot(CURVE, curve(np.arange(len(event))), color=colour, label=label)
        for key, style, label in (("clinical", ":", "parity and age"), ("size", "-.", "growth only")):
            score = compared[key].scores[target][0]
            values = [net_benefit(event, score, at) for at in CURVE]
            axis.plot(CURVE, values, style, color="#777", linewidth=1, label=label)
        if experts is not None:
            panel = experts["targets"][target]["net_benefit"]
            axis.plot(CURVE, panel, color="#2b7a3d", linewidth=1, label="nine experts: pathological")
        axis.plot(CURVE, [treat_all(event, at) for at in CURVE], color="black", linewidth=0.8, label="treat all")
        axis.axhline(0, color="#999", linewidth=0.8, linestyle="--", label="treat none")
        top = float(event.mean()) * 1.05
        axis.set(xlabel="threshold", ylabel="net benefit (95 %)", ylim=(-0.35 * top, top), title=name)
    axes[0].legend(frameon=False, fontsize=8)
    return save(figure, folder / "evidence-fusion-decisions.png")
