"""The document on the fetal head: errors, intervals, gate, pixel size, sites, growth probability, from stored rows."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from models.evaluation.metrics import bootstrap
from models.growth.measures import BPD, HC, LABELS, OFD
from models.ultrasound.interval import (
    COVERAGE,
    MEASURES,
    Intervals,
    empty_counts,
    error_counts,
    trimester_of,
)
from studies.heads.growth_probability import growth_lines
from studies.stored import Rows, column, read, table, words

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
COLUMNS = {
    HC: ("reference_mm", "estimate_mm"),
    BPD: ("reference_bpd_mm", "bpd_mm"),
    OFD: ("reference_ofd_mm", "ofd_mm"),
}
TRIMESTERS = ("first (HC below 97.9 mm)", "second", "third (260.4 mm and more)")
HC18_LINE = "HC18 pictures: van den Heuvel TLA et al. 2018, doi:10.5281/zenodo.1327317, CC BY 4.0; outlines drawn in."


def cross_fitted(rows: Rows) -> dict[str, tuple[Array, Array]]:
    """Bounds of every row by measure, from the errors of the other folds alone."""
    fold = np.array([int(row["fold"]) for row in rows])
    pairs = {measure: tuple(column(rows, name) for name in names) for measure, names in COLUMNS.items()}
    bounds = {measure: (np.zeros(len(rows)), np.zeros(len(rows))) for measure in MEASURES}
    for k in np.unique(fold):
        counts = empty_counts()
        for i in np.flatnonzero(fold != k):
            references, estimates = ({name: pair[side][i] for name, pair in pairs.items()} for side in (0, 1))
            counts += error_counts(references, estimates)
        intervals = Intervals.from_counts(counts)
        for measure in MEASURES:
            for i in np.flatnonzero(fold == k):
                estimate = pairs[measure][1][i]
                low, high = intervals.interval(measure, estimate, pairs[HC][1][i])
                bounds[measure][0][i], bounds[measure][1][i] = low, high
    return bounds


def covered(rows: Rows, measure: str = HC) -> Mask:
    """Whether the cross-fitted interval of each row holds the reference."""
    low, high = cross_fitted(rows)[measure]
    reference = column(rows, COLUMNS[measure][0])
    return np.asarray((reference >= low) & (reference <= high))


def ultrasound_document(folder: Path) -> str:
    """Markdown of the segmenter's out-of-fold figures."""
    rows = read(folder / "hc18.csv")
    groups = {row["examination"] for row in rows}
    lines = [
        "# The fetal head: out-of-fold evidence",
        "",
        f"HC18, development portion: {len(rows)} images of {len(groups)} examinations (CC BY 4.0; repeats of one frozen",
        "frame dropped). Each image is measured out of fold: by the fold model (three sites, averaging, one recipe) that was not",
        "trained on its examination; folds by a hash of the examination. One woman can have several examination numbers, so",
        "some leakage cannot be excluded. Every image is scored, refused ones with their best ellipse. What ships learned",
        "from all examinations by the same recipe. Intervals are 95 %, bootstrap of examinations.",
        "",
        *measurement_lines(rows),
        *interval_lines(rows),
        *examination_lines(rows),
        *gate_lines(rows, read(folder / "hc18_negatives.csv")),
        *pixel_size_lines(rows, read(folder / "hc18_zoom.csv")),
        *arm_lines(rows, read(folder / "hc18_arms.csv")),
        *growth_lines(rows),
        "Made by `fetal-health federate run plans/ultrasound.toml --data DATA`, then `python -m studies train hc18 DATA",
        "plans/ultrasound.toml --run RUN` and `hc18-arms`, then `make evidence`.",
        "",
    ]
    return "\n".join(lines)


def measurement_lines(rows: Rows) -> list[str]:
    """Errors overall, by trimester and by size; the other diameters; the largest errors."""
    reference, estimate = column(rows, "reference_mm"), column(rows, "estimate_mm")
    overlap, distance = column(rows, "dice"), column(rows, "hausdorff_mm")
    refused = np.array([row["refusal"] != "" for row in rows])
    groups = np.array([row["examination"] for row in rows])
    error = estimate - reference

    def line(name: str, mask: Mask) -> list[str]:
        def of(values: Array, digits: int) -> str:
            selected = values[mask]
            return words(bootstrap(groups[mask], lambda r: float(np.mean(selected[r]))), digits)

        shares = (np.abs(error), 2), (error, 2), (overlap, 4), (distance, 2)
        return [name, str(int(mask.sum())), *(of(values, digits) for values, digits in shares)]

    third = trimester_of(reference)
    masks = {"all images": np.ones(len(rows), dtype=bool), "after the gate": ~refused}
    masks |= {f"trimester: {name}": third == k for k, name in enumerate(TRIMESTERS)}
    masks |= {"150 to 210 mm": (reference >= 150) & (reference < 210), "210 mm and more": reference >= 210}
    worst = sorted(zip(np.abs(error), rows, strict=True), key=lambda pair: -pair[0])[:6]
    others = [
        f"{LABELS[measure]}: mean absolute error {np.abs(column(rows, b) - column(rows, a)).mean():.2f} mm, "
        f"bias {(column(rows, b) - column(rows, a)).mean():+.2f} mm."
        for measure, (a, b) in COLUMNS.items()
        if measure != HC
    ]
    return [
        "## Measurement",
        "",
        *table(
            ["head circumference", "n", "MAE, mm", "bias, mm", "Dice", "Hausdorff, mm"],
            [line(name, mask) for name, mask in masks.items()],
        ),
        f"Half of the images err by less than {np.median(np.abs(error)):.2f} mm, 95 % by less than"
        f" {np.percentile(np.abs(error), 95):.1f} mm; {np.mean(np.abs(error) < 5):.1%} by less than 5 mm.",
        *others,
        "Largest errors: "
        + "; ".join(f"{row['image']} {value:.0f} mm{' (refused)' if row['refusal'] else ''}" for value, row in worst)
        + ".",
        "",
        "![Bland-Altman](../images/evidence-head-agreement.png)",
        "",
        "![The twelve largest errors. Green: reference, red: network.](../images/evidence-head-failures.jpg)",
        "",
        HC18_LINE,
        "",
    ]


def interval_lines(rows: Rows) -> list[str]:
    """Coverage of the cross-fitted 90 % intervals with the binomial interval of the count."""
    third = trimester_of(column(rows, "reference_mm"))
    bounds = cross_fitted(rows)

    def line(measure: str, name: str, mask: Mask) -> list[str]:
        low, high = bounds[measure]
        reference, estimate = (column(rows, c) for c in COLUMNS[measure])
        inside = (reference >= low) & (reference <= high)
        count, number = int(inside[mask].sum()), int(mask.sum())
        binomial = binomtest(count, number).proportion_ci(0.95)
        verdict = "yes" if binomial.low <= COVERAGE <= binomial.high else "no"
        half = float(np.mean((high - low)[mask] / 2))
        return [
            f"{LABELS[measure].lower()}, {name}",
            str(number),
            f"{count / number:.3f} ({binomial.low:.3f} to {binomial.high:.3f})",
            verdict,
            f"{half:.1f} mm ({100 * half / estimate[mask].mean():.1f} %)",
        ]

    masks = {"all": np.ones(len(rows), dtype=bool)} | {name: third == k for k, name in enumerate(TRIMESTERS)}
    body = [line(HC, name, mask) for name, mask in masks.items()]
    body += [line(measure, "all", masks["all"]) for measure in (BPD, OFD)]
    return [
        "## 90 % intervals",
        "",
        "Each row's interval comes from the errors of the other folds, by size band of the measured head.",
        "",
        *table(["measure", "n", "coverage (binomial 95 %)", "contains .90", "mean half-width"], body),
    ]


def examination_lines(rows: Rows) -> list[str]:
    """Several images of one examination as one measurement: means against means."""
    low, high = cross_fitted(rows)[HC]
    groups = np.array([row["examination"] for row in rows])
    errors, inside, alone = [], [], []
    for name in np.unique(groups):
        members = np.flatnonzero(groups == name)
        if len(members) < 2:
            continue
        reference, estimate = (column([rows[i] for i in members], c) for c in COLUMNS[HC])
        errors.append(abs(float(estimate.mean() - reference.mean())))
        alone.append(float(np.abs(estimate - reference).mean()))
        inside.append(bool(low[members].mean() <= reference.mean() <= high[members].mean()))
    binomial = binomtest(sum(inside), len(inside)).proportion_ci(0.95)
    return [
        f"Examinations with several images (n = {len(errors)}): the mean of the images errs by {np.mean(errors):.2f} mm, one"
        f" image by {np.mean(alone):.2f} mm; the combined interval holds {np.mean(inside):.3f}"
        f" ({binomial.low:.3f} to {binomial.high:.3f}).",
        "",
    ]


def gate_lines(rows: Rows, negatives: Rows) -> list[str]:
    """Refused heads and refused images without one."""
    refused = sum(row["refusal"] != "" for row in rows)
    kinds = list(dict.fromkeys(row["kind"] for row in negatives))
    body = []
    for kind in [*kinds, "all of these"]:
        of = [row for row in negatives if kind in (row["kind"], "all of these")]
        count = sum(row["refusal"] != "" for row in of)
        lowest = binomtest(count, len(of)).proportion_ci(0.95).low
        body.append([kind, str(len(of)), f"{count / len(of):.3f}", f"{lowest:.3f}"])
    highest = binomtest(refused, len(rows)).proportion_ci(0.95)
    return [
        "## Gate",
        "",
        f"Real heads refused: {refused} of {len(rows)}, {refused / len(rows):.3f} ({highest.low:.3f} to {highest.high:.3f}).",
        "The thresholds were set after a look at the traits of one fold and of half-trained models. Images without a measurable",
        "head are made from HC18 pictures (measured by the fold model not trained on them), photographs and noise; none is like a view",
        "that training uses. Wrong planes are not judged: no labelled set is available.",
        "",
        *table(["what", "n", "refused", "lower 95 %"], body),
    ]


def pixel_size_lines(rows: Rows, zoomed: Rows) -> list[str]:
    """Whether the measure depends on the pixel size, which the network does not know."""
    reference, estimate, size = (column(rows, name) for name in ("reference_mm", "estimate_mm", "pixel_size_mm"))
    fold = np.array([int(row["fold"]) for row in rows])
    guess = np.zeros(len(rows))
    for k in np.unique(fold):
        others = fold != k
        guess[~others] = np.polyval(np.polyfit(np.log(size[others]), reference[others], 2), np.log(size[~others]))
    explained = 1 - np.sum((reference - guess) ** 2) / np.sum((reference - reference.mean()) ** 2)
    usable = estimate > 0
    share = (estimate / reference - 1)[usable]
    design = np.column_stack([np.ones(usable.sum()), np.log(reference[usable]), np.log(size[usable])])
    left = [v - design[:, :2] @ np.linalg.lstsq(design[:, :2], v, rcond=None)[0] for v in (share, design[:, 2])]
    partial = float(np.corrcoef(*left)[0, 1])
    by_name = {row["image"]: row for row in rows}
    body = []
    for zoom in sorted({row["zoom"] for row in zoomed}, key=float):
        of = [row for row in zoomed if row["zoom"] == zoom and row["refusal"] == ""]
        first = np.array([float(by_name[row["image"]]["estimate_mm"]) for row in of])
        truth = np.array([float(by_name[row["image"]]["reference_mm"]) for row in of])
        then = column(of, "estimate_mm")
        body.append(
            [
                zoom,
                str(len(of)),
                f"{100 * np.median(then / first - 1):+.2f} %",
                f"{np.abs(then - truth).mean():.2f}",
                f"{np.abs(first - truth).mean():.2f}",
            ]
        )
    return [
        "## Pixel size is no shortcut",
        "",
        "The pixel size alone (square of its logarithm, same folds) predicts the circumference with an error of",
        f"{np.abs(guess - reference).mean():.1f} mm (R2 {explained:.2f}), so a network that knew it could rely on it. Ours",
        "sees grey values in a frame of fixed size and does not know it. Its relative error has a partial correlation of",
        f"{partial:+.2f} with the pixel size at a given circumference. The same pictures magnified about their middle, the",
        "pixel size divided by as much (without refused ones), measure the same head; a shortcut would follow the zoom:",
        "",
        *table(["zoom", "n", "median change", "MAE, mm, zoomed", "MAE, mm, as it is"], body),
    ]


def arm_lines(rows: Rows, others: Rows) -> list[str]:
    """The recipe on other sites beside the shipped ones: same folds, same rounds."""
    error: dict[str, dict[str, float]] = {"shipped sites": _errors(rows)}
    for row in others:
        arm = row["part"].partition("/")[0]
        error.setdefault(arm, {})[row["image"]] = float(row["estimate_mm"]) - float(row["reference_mm"])
    central = error.pop("central")
    body = []
    for arm, errors in error.items():
        shared = sorted(set(errors) & set(central))
        ours, theirs = (np.array([source[image] for image in shared]) for source in (errors, central))
        groups = np.array([image.partition("_")[0] for image in shared])
        gap = np.abs(ours) - np.abs(theirs)
        loss = bootstrap(groups, lambda r, g=gap: float(np.mean(g[r])))  # type: ignore[misc]
        similar = float(np.corrcoef(ours, theirs)[0, 1])
        ratio = np.abs(ours).mean() / np.abs(theirs).mean() - 1
        both = f"{np.abs(ours).mean():.2f}, {np.abs(theirs).mean():.2f}"
        body.append([arm, str(len(shared)), both, f"{100 * ratio:+.1f} %", words(loss, 3), f"{similar:.2f}"])
    return [
        "## Sites that differ, beside central training",
        "",
        "The same folds, rounds and seed. *Shipped sites*: three, skewed by the size of the head; *trimester*, *scale* (where",
        "run): three sites cut along the circumference or the pixel size, as unlike as can be; *central*: one site.",
        "",
        *table(
            ["sites", "n", "MAE, mm, and central", "against central", "paired difference, mm", "correlation of errors"],
            body,
        ),
        "Networks trained apart make nearly the same errors: what is left is mostly in the outline that was drawn. The one frame",
        "of the data set that was outlined twice (220_HC and 220_2HC; the other repeats carry one outline) differs from itself by",
        "3.1 mm, Dice .980, Hausdorff 1.28 mm.",
        "",
    ]


def _errors(rows: Rows) -> dict[str, float]:
    return {row["image"]: float(row["estimate_mm"]) - float(row["reference_mm"]) for row in rows}
