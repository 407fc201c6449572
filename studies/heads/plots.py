"""Pictures of the head's evidence: agreement by size, reliability of the growth probability."""

from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

from models.growth.measures import HC
from models.growth.probability import SMALL_Z
from models.ultrasound.interval import EDGES_MM
from studies.heads.document import cross_fitted
from studies.heads.growth_probability import constructed
from studies.plots import COLOURS, STYLE, save
from studies.stored import Rows, column


def draw_heads(rows: Rows, folder: Path) -> list[Path]:
    """Write both pictures."""
    with plt.rc_context(STYLE):
        return [_agreement(rows, folder), _reliability(rows, folder)]


def _agreement(rows: Rows, folder: Path) -> Path:
    reference, estimate = column(rows, "reference_mm"), column(rows, "estimate_mm")
    low, high = cross_fitted(rows)[HC]
    refused = np.array([row["refusal"] != "" for row in rows])
    difference, mean = estimate - reference, (estimate + reference) / 2
    figure, axis = plt.subplots(figsize=(7.2, 4.2))
    order = np.argsort(estimate)
    axis.fill_between(
        estimate[order], (estimate - high)[order], (estimate - low)[order], color="#999", alpha=0.2, linewidth=0
    )
    axis.plot(mean[~refused], difference[~refused], ".", color=COLOURS[0], markersize=4, alpha=0.6)
    axis.plot(mean[refused], difference[refused], "x", color=COLOURS[1], markersize=6, label="refused")
    centre, spread = difference[~refused].mean(), difference[~refused].std(ddof=1)
    for value, style in ((centre, "-"), (centre - 1.96 * spread, "--"), (centre + 1.96 * spread, "--")):
        axis.axhline(value, color="#333", linewidth=0.9, linestyle=style)
        axis.annotate(f"{value:+.1f}", (352, value), fontsize=8, va="center")
    for edge in (EDGES_MM[0], EDGES_MM[-1]):
        axis.axvline(edge, color="#bbb", linewidth=0.8)
    axis.set(
        xlabel="mean of network and reference, mm",
        ylabel="network minus reference, mm",
        xlim=(40, 350),
        ylim=(-16, 16),
        title="Head circumference, out of fold: bias, 95 % limits; grey: the 90 % intervals",
    )
    if refused.any():
        axis.legend(frameon=False, loc="upper left")
    return save(figure, folder / "evidence-head-agreement.png")


def _reliability(rows: Rows, folder: Path) -> Path:
    z, small, large = constructed(rows)
    figure, axes = plt.subplots(1, 2, figsize=(8.4, 4.0))
    pairs = (("below the 3rd centile", z < SMALL_Z, small), ("above the 97th centile", z > -SMALL_Z, large))
    for axis, (name, event, probability), colour in zip(axes, pairs, COLOURS, strict=True):
        edges = np.linspace(0, 1, 11)
        for a, b in pairwise(edges):
            in_bin = (probability >= a) & (probability < b if b < 1 else probability <= 1)
            if in_bin.sum() >= 10:
                share, number = float(event[in_bin].mean()), int(in_bin.sum())
                half = 1.96 * np.sqrt(max(share * (1 - share), 0.01) / number)
                axis.plot([probability[in_bin].mean()] * 2, [share - half, share + half], color=colour, alpha=0.5)
                axis.plot(probability[in_bin].mean(), share, "o", color=colour, markersize=4)
        axis.plot([0, 1], [0, 1], color="#999", linewidth=0.8, linestyle="--")
        axis.set(xlabel="predicted", ylabel="observed (95 %)", title=f"True head {name}", xlim=(0, 1), ylim=(0, 1))
    figure.suptitle("Constructed: true size from the annotation, age drawn", fontsize=9)
    return save(figure, folder / "evidence-growth-reliability.png")
