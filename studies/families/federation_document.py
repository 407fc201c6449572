"""The federation's document: families, trees, image sites, smaller updates, the attack, and what to run when."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.evaluation.metrics import bootstrap
from studies.families import document as families
from studies.pattern import document as pattern
from studies.stored import Rows, column, part, read, table, words

Array = NDArray[np.float64]
IMAGE_ARMS = {
    "pooled": "pooled (one site)",
    "trimester": "three sites, whole updates",
    "trimester int8": "8-bit updates",
    "trimester top-k 10 %": "largest 10 %, 8 bits",
    "trimester top-k 2 %": "largest 2 %, 8 bits",
    "local": "each site alone, on its own images",
}
MASKS = (
    ("whole updates, float32", "no", "floats do not add modulo anything: fixed point first"),
    ("float16", "no", "as above"),
    ("8 bits, scale of its own", "no", "sums need one scale for all sites, agreed before"),
    ("8 bits, agreed scale", "yes", "integers add; log2(sites) more bits"),
    ("largest entries (top-k)", "no", "positions differ by site and tell what moved; masks fill the gaps"),
    ("trees' splits", "no", "structures do not add; they carry no counts"),
    ("leaf sums, calibration sums, class and moment sums", "yes", "additive; in fixed point"),
)


def document(folder: Path, manifest: Mapping[str, Any]) -> str:
    """Give the whole document; `folder` holds the stored predictions, `manifest` is the shipped bundle's."""
    uci = read(folder / "uci.csv")
    return "\n".join(
        [
            "# Federated learning: out-of-fold evidence",
            "",
            *_recommendation(),
            *families.lines(read(folder / "families.csv.gz"), read(folder / "cca.csv")),
            "## Boosted trees against central training",
            "",
            f"UCI, {len(part(uci, 'central/table/0'))} segments of 145 women, nested folds by woman, five seeds, the same folds for",
            "all. Central training is XGBoost on pooled rows, without floors. At sites a leaf holds at least five rows and the sums",
            "of smaller leaves are merged with a neighbour's; *small leaves apart* does not merge them.",
            "",
            *pattern.federated(uci),
            *_sites(manifest),
            *_images(read(folder / "image_sites.csv")),
            *_masks(),
            *_attack(read(folder / "reconstruction.csv")),
            "Made by `python -m studies train uci|reconstruction DATA plans/default.toml`, `... families DATA",
            "plans/multi-task.toml`, `... image-sites DATA plans/ultrasound.toml`, then `make evidence`. Bytes, rounds a minute and",
            "hundreds of sites: `make bench`.",
            "",
        ]
    )


def _recommendation() -> list[str]:
    return [
        "## Which plan to run when",
        "",
        "- **`plans/default.toml`, the ensemble, for everything that is served** (`ctg.toml` or `ultrasound.toml` to renew one",
        "  part). It is best or level on every target below, explains itself, and no site needs both modalities.",
        "- **`plans/multi-task.toml`** to study whether a new, larger or truly paired federation changes that. Here a network for",
        "  the pH gains a little from sharing its trunk with the SisPorto tables, and stays below the trees; scans add nothing.",
        "- **`plans/transfer.toml`** likewise. What the trace knows of the size of the fetus is next to nothing, and canonical",
        "  correlation does not beat its null: between CTG and ultrasound there is nothing to transfer in these data.",
        "- **Personal heads** where sites are known to differ in how they label, not where they differ in whom they treat: the",
        "  gain is the site's own prevalence, and gone within sites.",
        "- **Compression**: `top-k` with a share of 0.1 where lines are slow, 0.02 where they are very slow and a tenth of a",
        "  millimetre does not matter; none within one network.",
        "",
    ]


def _sites(manifest: Mapping[str, Any]) -> list[str]:
    body = []
    for modality in ("ctg", "acidaemia"):
        for name, figures in sorted(manifest["sites"].get(modality, {}).items()):
            for key, comparison in figures.items():
                if key.startswith("against_local_"):
                    low, high = comparison["ci95"]
                    gap = f"{comparison['difference']:+.3f} ({low:+.3f} to {high:+.3f})"
                    body.append(
                        [name, key.removeprefix("against_local_"), str(figures["rows"]), str(comparison["groups"]), gap]
                    )
    if not body:
        return []
    return [
        "### Every site beside the model it would have trained alone",
        "",
        "From the run that trained the shipped bundle: log-loss of the federated trees minus that of the site's own trees, same",
        "recipe, out of fold, before calibration; below 0 the federation is better. The gate refuses a",
        "candidate if the whole interval of any site is above 0.",
        "",
        *table(["site", "model", "rows", "women or records out of fold", "difference (95 %)"], body),
        "![Sites beside their own models](../images/evidence-sites.png)",
        "",
    ]


def image_errors(rows: Rows, arm: str) -> list[tuple[NDArray[np.str_], Array, Array, Array, float]]:
    """Of each seed: examination, site, absolute error (mm), Dice; and the bytes that a site sends up a round."""
    errors = []
    for name in sorted({row["part"] for row in rows if row["part"].rpartition("/")[0] == arm}):
        some = part(rows, name)
        error = np.abs(column(some, "estimate_mm") - column(some, "reference_mm"))
        examination = np.array([row["examination"] for row in some])
        errors.append((examination, column(some, "site"), error, column(some, "dice"), float(some[0]["bytes"])))
    return errors


def _images(rows: Rows) -> list[str]:
    return [
        "## The segmenter on sites cut along the circumference",
        "",
        "HC18, one fold (159 images), three sites of small, middle and large heads, 40 epochs (pooled: 40 rounds of one epoch; sites:",
        "80 rounds of half an epoch), three seeds; one seed for *8-bit* and *each site alone*. Less than the shipped recipe (80",
        "epochs), the same for all. Intervals of paired differences over examinations, mean of the seeds.",
        "",
        *table(
            ["", "seeds", "kB up, a site and round", "smaller", "Dice", "MAE, mm", "Dice - pooled", "MAE - pooled, mm"],
            list(_image_rows(rows, "pooled")),
        ),
        "Smaller updates beside whole ones:",
        "",
        *table(
            ["", "Dice - whole updates, percentage points", "MAE - whole updates, mm"],
            [
                [IMAGE_ARMS[arm], *_gaps(rows, arm, "trimester", points=True)]
                for arm in IMAGE_ARMS
                if arm.startswith("trimester ") and image_errors(rows, arm)
            ],
        ),
        *_local(rows),
    ]


def _image_rows(rows: Rows, base: str) -> Iterator[list[str]]:
    whole = image_errors(rows, "trimester")[0][4]
    for arm, name in IMAGE_ARMS.items():
        seeds = image_errors(rows, arm)
        if not seeds:
            continue
        size = seeds[0][4]
        means = (f"{np.mean([s[3].mean() for s in seeds]):.4f}", f"{np.mean([s[2].mean() for s in seeds]):.2f}")
        sent = ["-", "-"] if arm in {"pooled", "local"} else [f"{size / 1024:.0f}", f"{whole / size:.0f} x"]
        yield [name, str(len(seeds)), *sent, *means, *(_gaps(rows, arm, base) if arm != base else ["-", "-"])]


def _gaps(rows: Rows, arm: str, base: str, *, points: bool = False) -> list[str]:
    pairs = list(zip(image_errors(rows, arm), image_errors(rows, base), strict=False))
    group = pairs[0][0][0]
    overlap = np.mean([ours[3] - theirs[3] for ours, theirs in pairs], axis=0) * (100 if points else 1)
    error = np.mean([ours[2] - theirs[2] for ours, theirs in pairs], axis=0)
    return [
        words(bootstrap(group, lambda r: float(overlap[r].mean())), 2 if points else 4),
        words(bootstrap(group, lambda r: float(error[r].mean()))),
    ]


def _local(rows: Rows) -> list[str]:
    alone, together = image_errors(rows, "local"), image_errors(rows, "trimester")
    if not alone:
        return []
    body = []
    group, site, error, _, _ = alone[0]
    for k in np.unique(site):
        here = site == k
        gap = (together[0][2] - error)[here]
        difference = bootstrap(group[here], lambda r, g=gap: float(g[r].mean()))  # type: ignore[misc]
        means = [f"{values[here].mean():.2f}" for values in (together[0][2], error)]
        body.append(
            [
                f"{int(k)}: {('small', 'middle', 'large')[int(k) - 1]} heads",
                str(int(here.sum())),
                *means,
                words(difference),
            ]
        )
    return [
        "Each site's own images, by the federated network and by the one it trained alone (one seed, as many epochs):",
        "",
        *table(["site", "n", "federated, MAE, mm", "alone, MAE, mm", "difference (95 %)"], body),
    ]


def _masks() -> list[str]:
    return [
        "### What can be added up behind masks",
        "",
        "Secure aggregation adds masked integers; the server sees the sum alone. Not everything small can be masked:",
        "",
        *table(["what travels", "under masks", "why"], [list(row) for row in MASKS]),
    ]


def _attack(rows: Rows) -> list[str]:
    body = []
    for arm in dict.fromkeys(row["part"] for row in rows):
        some = part(rows, arm)
        weight = column(some, "rows")

        def mean(name: str, some: Rows = some, weight: Array = weight) -> float:
            return float(np.average(column(some, name), weights=weight))

        worst = max(float(r["attack_records"]) - float(r["chance_records"]) for r in some)
        body.append(
            [
                arm,
                f"{100 * mean('small_cells'):.1f} %",
                f"{100 * mean('misfit'):.1f} %",
                f"{100 * (mean('attack_values') - mean('chance_values')):+.1f}",
                f"{100 * (mean('attack_records') - mean('chance_records')):+.2f}",
                f"{100 * worst:+.2f}",
            ]
        )
    return [
        "## Can records be rebuilt from what a site sends?",
        "",
        "An attack in the manner of TimberStrike on each of five sites (168 to 767 rows of 43 columns), twenty rounds: simulated",
        "annealing for records that end in the same leaves as often, given the exact counts. *Rebuilt* is a record with four",
        "fifths of its values within 5 % of the column's range, matched as favourably as possible; *chance* draws from other",
        "hospitals' columns. *Stock* is what Flower's bagging uploads (depth 8, leaf counts by `sum_hessian`).",
        "",
        *table(
            [
                "what is sent",
                "leaves of 1 to 4 rows disclosed",
                "counts the attack did not fit",
                "values rebuilt above chance, points",
                "records rebuilt above chance, points",
                "at the worst site",
            ],
            body,
        ),
        "The attack fits the counts nearly exactly and still finds next to no record, in stock uploads too: with 43 columns, many",
        "of them continuous, many sets of records have the same counts. So it does not reproduce the published 65 to 95 % (other",
        "data, other scores), and does not tell the arms apart; a cleverer attack may. What the counts say by themselves does tell:",
        "about half of the leaves in a stock upload single out one to four rows, none of ours.",
        "",
    ]


def manifest_of(bundle: Path) -> dict[str, Any]:
    """A bundle's manifest."""
    manifest: dict[str, Any] = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    return manifest
