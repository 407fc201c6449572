"""Pictures of the out-of-fold predictions: ROC with bands, reliability, lead time."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

mpl.use("Agg")

from matplotlib import pyplot as plt
from sklearn.metrics import roc_curve

from models.ctg.acidaemia import LEADS_MIN
from models.evaluation import held_out
from models.evaluation.metrics import auc
from studies.acidaemia.document import EVENTS, first_seed, over_seeds, scores
from studies.stored import Rows, seeds

Array = NDArray[np.float64]
COLOURS = ("#1f5c7a", "#a3162a")
GRID = np.linspace(0, 1, 101)
STYLE = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "savefig.dpi": 110}


def draw(rows: Rows, folder: Path) -> list[Path]:
    """Write the three pictures."""
    with plt.rc_context(STYLE):
        return [_roc(rows, folder), _reliability(rows, folder), _lead_time(rows, folder)]


def save(figure: "plt.Figure", path: Path) -> Path:
    """Write a figure and close it."""
    figure.tight_layout()
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)
    return path


def draw_sites(manifest: Mapping[str, Any], folder: Path) -> list[Path]:
    """Each site's federated trees beside its own: difference in log-loss with its interval."""
    comparisons = [
        (f"{name}, {key.removeprefix('against_local_')}", value)
        for modality in ("ctg", "acidaemia")
        for name, figures in sorted(manifest["sites"].get(modality, {}).items())
        for key, value in figures.items()
        if key.startswith("against_local_")
    ]
    if not comparisons:
        return []
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(6.4, 0.6 + 0.26 * len(comparisons)))
        for row, (_, value) in enumerate(comparisons):
            axis.plot(value["ci95"], [row, row], color=COLOURS[0], linewidth=1.2)
            axis.plot(value["difference"], row, "o", color=COLOURS[0], markersize=4)
        axis.axvline(0, color="#999", linewidth=0.8, linestyle="--")
        axis.set(yticks=range(len(comparisons)), yticklabels=[name for name, _ in comparisons])
        axis.set(xlabel="log-loss, federated minus alone (below 0: the federation is better)")
        axis.invert_yaxis()
        return [save(figure, folder / "evidence-sites.png")]


def _roc(rows: Rows, folder: Path) -> Path:
    figure, axis = plt.subplots(figsize=(4.6, 4.4))
    rng = np.random.default_rng(0)
    for (target, name), colour in zip(EVENTS.items(), COLOURS, strict=True):
        event, score = scores(first_seed(rows), target)
        curves = []
        for _ in range(400):
            drawn = rng.integers(0, len(event), len(event))
            if 0 < event[drawn].sum() < len(drawn):
                curves.append(_curve(event[drawn], score[drawn]))
        low, high = np.percentile(curves, [2.5, 97.5], axis=0)
        axis.fill_between(GRID, low, high, color=colour, alpha=0.12, linewidth=0)
        label = f"{name}: {auc(event, score):.2f} ({int(event.sum())} of {len(event)})"
        axis.plot(GRID, _curve(event, score), color=colour, label=label)
    axis.plot([0, 1], [0, 1], color="#999", linewidth=0.8, linestyle="--")
    axis.set(
        xlabel="1 - specificity",
        ylabel="sensitivity",
        xlim=(0, 1),
        ylim=(0, 1),
        title="ROC, out of fold, 4 sites, one seed",
    )
    axis.legend(loc="lower right", frameon=False, title="AUC (events)")
    return save(figure, folder / "evidence-roc.png")


def _curve(event: NDArray[np.bool_], score: Array) -> Array:
    false, true, _ = roc_curve(event, score)
    return np.asarray(np.interp(GRID, false, true))


def _reliability(rows: Rows, folder: Path) -> Path:
    figure, axes = plt.subplots(1, 2, figsize=(8.4, 4.0))
    for axis, (target, name), colour in zip(axes, EVENTS.items(), COLOURS, strict=True):
        reliability(axis, *scores(first_seed(rows), target), colour, name)
    return save(figure, folder / "evidence-reliability.png")


def reliability(axis: "plt.Axes", event: NDArray[np.bool_], score: Array, colour: str, name: str) -> None:
    """Observed against predicted in ten bins of equal size, with Wilson's intervals: a bin holds few events."""
    for reliability_bin in held_out.reliability(event, score):
        axis.plot([reliability_bin.predicted] * 2, [reliability_bin.low, reliability_bin.high], color=colour, alpha=0.5)
        axis.plot(reliability_bin.predicted, reliability_bin.observed, "o", color=colour, markersize=4)
    top = min(1.0, float(score.max()) + 0.05)
    axis.plot([0, top], [0, top], color="#999", linewidth=0.8, linestyle="--")
    axis.set(
        xlabel="predicted",
        ylabel="observed (95 %)",
        title=f"{name}, ten bins of equal size",
        xlim=(0, top),
        ylim=(0, 1),
    )


def _lead_time(rows: Rows, folder: Path) -> Path:
    figure, axis = plt.subplots(figsize=(5.2, 3.6))
    parts = seeds(rows, "dirichlet")
    for (target, name), colour in zip(EVENTS.items(), COLOURS, strict=True):
        values = [over_seeds(parts, auc, target, lead) for lead in LEADS_MIN]
        places = [-lead for lead in LEADS_MIN]
        axis.plot(places, [v["value"] for v in values], "o-", color=colour, label=name)
        low, high = zip(*(v["ci95"] for v in values), strict=True)
        axis.fill_between(places, low, high, color=colour, alpha=0.12, linewidth=0)
    axis.axhline(0.5, color="#999", linewidth=0.8, linestyle="--")
    axis.set(
        xlabel="end of the trace, min before birth",
        ylabel="AUC (95 %)",
        ylim=(0.35, 1),
        title="With the last minutes hidden",
    )
    axis.legend(frameon=False)
    return save(figure, folder / "evidence-lead-time.png")
