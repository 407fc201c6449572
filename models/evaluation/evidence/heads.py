"""The head segmenter's document."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.evaluation.evidence.stored import Rows, column, words
from models.evaluation.metrics import bootstrap


def ultrasound_document(rows: Rows) -> str:
    """Markdown of the segmenter's out-of-fold figures."""
    reference, estimate = column(rows, "reference_mm"), column(rows, "estimate_mm")
    overlap, distance, share = (column(rows, name) for name in ("dice", "hausdorff_mm", "interval_share"))
    groups = np.array([row["examination"] for row in rows])
    refused = np.array([row["refusal"] != "" for row in rows])
    error = estimate - reference
    covered = np.abs(error) <= share * estimate

    def table(mask: NDArray[np.bool_]) -> list[str]:
        def of(values: NDArray[Any], digits: int) -> str:
            kept = values[mask]
            return words(bootstrap(groups[mask], lambda r: float(np.mean(kept[r]))), digits)

        return [
            str(int(mask.sum())),
            of(np.abs(error), 2),
            of(error, 2),
            of(overlap, 4),
            of(distance, 2),
            of(covered.astype(float), 3),
        ]

    everything = np.ones(len(rows), dtype=bool)
    bands = {
        "all images": everything,
        "after the gate": ~refused,
        "HC below 150 mm": reference < 150,
        "150 to 210 mm": (reference >= 150) & (reference < 210),
        "210 mm and more": reference >= 210,
    }
    worst = sorted(zip(np.abs(error), rows, strict=True), key=lambda pair: -pair[0])[:5]
    lines = [
        "# Head segmentation: out-of-fold evidence",
        "",
        f"HC18, development portion: {len(rows)} images of {len(set(groups))} examinations (CC BY 4.0). Five folds by",
        "examination; in each the whole federated recipe runs (three sites, federated averaging, 15 % of the examinations",
        "set aside for the interval). One woman can have several examination numbers, so some leakage cannot be excluded.",
        "Every image is scored, refused ones with their best ellipse. Intervals are 95 %, bootstrap of examinations.",
        "",
        "| | n | MAE, mm | bias, mm | Dice | Hausdorff, mm | coverage of the 90 % interval |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [f"| {name} | " + " | ".join(table(mask)) + " |" for name, mask in bands.items()]
    lines += [
        "",
        f"Refused: {int(refused.sum())} of {len(rows)}. Half of the images err by less than"
        f" {np.median(np.abs(error)):.2f} mm, 95 % by less than {np.percentile(np.abs(error), 95):.1f} mm.",
        "Largest errors: "
        + "; ".join(f"{row['image']} {value:.0f} mm{' (refused)' if row['refusal'] else ''}" for value, row in worst)
        + ".",
        "",
        "Averaging over four mirror images instead of two was chosen on these folds (2.31 to 2.28 mm).",
        "",
        "Made by `python -m federated.evidence hc18 DATA plans/default.toml`, then `make evidence`.",
        "",
    ]
    return "\n".join(lines)
