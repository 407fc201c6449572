"""``docs/evidence/privacy.md``: what each protection costs, and the attacks that were tried."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from models.ctg.acidaemia import MILD
from models.evaluation.metrics import bootstrap
from studies.pattern.rules import chosen
from studies.privacy.membership import attack
from studies.stored import Rows, column, part, read, seeds, table, words

Array = NDArray[np.float64]
CLIP = 1e-4
ROUNDS = 24  # of `studies.privacy.private_heads`

HEAD = """\
# Privacy: what each protection costs, and the attacks that were tried

Research prototype, not a medical device. Data: UCI (by woman), CTU-UHB (by record), HC18 (by examination), development
portions. Intervals are 95 %, over women, records or examinations.

## Who sees what

| what leaves a hospital | in clear | with `[privacy] secure_sums` |
|---|---|---|
| proposed trees: splits, no leaf values, no counts; no leaf of fewer than five rows | by site | by site |
| sums of gradient and Hessian in leaves | by site, of five rows or more | one sum over sites |
| weights of the segmenter, rows behind them | by site | one sum over sites |
| calibration, fusion, references of drift | by site, of five rows or more | one sum over sites |
| figures that the gate judges a site by (histograms of probabilities, confusion counts, errors) | by site | by site |
| keyed hashes of women | by site, under a key that the server does not have | the same |
| the text of an error | never | never |

Masks are Bonawitz et al. 2017 against a server that follows the protocol (ADR 16): it relays the sites' public keys, so
one that lies about them could open a site's sum. Its own operators can read figures by site. No rows, images or traces
leave.
"""

DP = """\
Sample-level DP-SGD (Opacus) with `[ultrasound.noise]`: three hospitals, {rounds} rounds, one fold, one seed, batch 32, clipping
norm 1, delta 1e-5. Epsilon of the hospital with most, for the one model that ships, and for all six fold models that the recipe
trains on the same images.
"""

DP_WORDS = """\
At these sizes (about 200 images a hospital) noise that would mean something makes the network useless, and noise that leaves
it useful promises next to nothing. We ship no such network and claim no epsilon for it. Published results with
small epsilons rest on more than 100,000 images. An examination can have several images; epsilon is for one.
Noise comes from PyTorch's generator, seeded from the site's secret: no cryptographic generator.
"""

MEMBERSHIP = """\
The shipped bundle was trained on every row here. Its answer on a row, and the out-of-fold answer of the same recipe, are
the two cases that an attacker has to distinguish. *Loss*: a small loss means member. *Against its difficulty*: the loss
is compared with what models that never saw the row lose on it, which an attacker with data like ours could train.
Chance is .5 and 5 %.
"""


def document(folder: Path) -> str:
    """Give the whole document, from what studies and benchmarks stored."""
    hospitals = json.loads((folder / "hospitals.json").read_text(encoding="utf-8"))
    return "\n".join(
        [
            HEAD,
            "## What it costs",
            "",
            *_costs(read(folder / "uci.csv"), hospitals),
            "### Noise for single images",
            "",
            DP.format(rounds=ROUNDS),
            *_noise(read(folder / "private_heads.csv")),
            DP_WORDS,
            "## Attacks",
            "",
            "### Was she in the training data?",
            "",
            MEMBERSHIP,
            *_membership(folder),
            "### Rows from trees",
            "",
            *_reconstruction(read(folder / "reconstruction.csv")),
            "### A server that looks",
            "",
            *LOOKS,
            "## A run survives",
            "",
            *_survival(hospitals),
            MADE,
        ]
    )


LOOKS = [
    "- Tests read everything that reaches the server of a masked run: no array of a site's own size or values, and no",
    "  loss of a single site (`tests/federated/privacy/test_masked_training.py`, `test_survival.py`, `test_secure_queries.py`).",
    "- An error at a hospital that names a patient: not one file of the server or the run holds the name",
    "  (`tests/federated/test_acceptance.py`).",
    "- Hashes of women under two keys share nothing; the key is sealed for each site, and no other site's key opens it",
    "  (`tests/federated/privacy/test_record_linkage.py`).",
    "",
]

MADE = """\
Made by `python -m studies store membership DATA`, `python -m studies train private-heads DATA
plans/default.toml`, `... reconstruction ...`, `python -m benchmarks.hospitals --kills 20 --write
docs/evidence/oof/hospitals.json`, then `make evidence`.
"""


def _costs(uci: Rows, hospitals: dict[str, Any]) -> list[str]:
    plain, masked = hospitals["plain"], hospitals["masked"]
    merged, unmerged = (_mean_f1(seeds(uci, name)) for name in ("dirichlet/table", "unmerged/table"))
    return [
        *table(
            ["protection", "cost"],
            [
                [
                    "sums of small leaves merged with a neighbour's",
                    f"macro-F1 {merged:.3f} against {unmerged:.3f} without (UCI, five sites, mean of five seeds)",
                ],
                [
                    "secure sums, weights",
                    "8 bytes a value against 4 (fp32): twice, exactly; nothing is rounded beyond 2^-24",
                ],
                [
                    "secure sums, a round of trees between three hospitals over TLS",
                    f"{masked['seconds_a_round']:.1f} s against {plain['seconds_a_round']:.1f} s, "
                    f"{masked['kb_a_round']:.0f} kB against {plain['kb_a_round']:.0f} kB",
                ],
                ["approval of plan and code", "one answer a plan and hospital"],
                ["keyed hashes of women", "three exchanges a run, 32 bytes a woman"],
            ],
        ),
    ]


def _mean_f1(parts: list[Rows]) -> float:
    scores = [f1_score(column(rows, "state"), chosen(rows), average="macro") for rows in parts]
    return float(np.mean(scores))


def _noise(rows: Rows) -> list[str]:
    lines = []
    for name in dict.fromkeys(row["part"] for row in rows):
        rows_of_part = part(rows, name)
        error = np.abs(column(rows_of_part, "estimate_mm") - column(rows_of_part, "reference_mm"))
        groups = np.array([row["examination"] for row in rows_of_part])
        mae = bootstrap(groups, partial(_mean, error))
        dice = float(np.mean(column(rows_of_part, "dice")))
        spent = [
            max(float(row[key]) for row in rows_of_part) if rows_of_part[0][key] else None
            for key in ("epsilon", "epsilon_all")
        ]
        epsilons = ["none" if value is None else f"{value:.1f}" for value in spent]
        lines.append([name, str(len(rows_of_part)), words(mae, 2), f"{dice:.3f}", *epsilons])
    return table(
        ["training", "images", "MAE of the circumference, mm", "Dice", "epsilon, shipped model", "all fold models"],
        lines,
    )


def _mean(values: Array, index: NDArray[np.int64]) -> float:
    return float(values[index].mean())


def _losses(probability: Any, event: Any) -> Any:
    clipped = np.clip(probability, CLIP, 1 - CLIP)
    return -np.log(np.where(event, clipped, 1 - clipped))


def _membership(folder: Path) -> list[str]:
    answers: dict[str, dict[str, float]] = {}
    for row in read(folder / "membership.csv"):
        answers.setdefault(row["part"], {})[row["name"]] = float(row["value"])
    lines = []
    uci = seeds(read(folder / "uci.csv"), "dirichlet/table")
    group = np.array([row["woman"] for row in uci[0]])
    inside = -np.log(np.clip([answers["uci"][row["row"]] for row in uci[0]], CLIP, 1.0))
    state = column(uci[0], "state").astype(int)
    others = [
        -np.log(
            np.clip(np.column_stack([column(rows, f"p{k}") for k in range(3)])[np.arange(len(state)), state], CLIP, 1)
        )
        for rows in uci
    ]
    lines += _lines("CTG pattern, rows of women (UCI)", group, inside, others)
    births = seeds(read(folder / "ctu_uhb.csv"), "dirichlet")
    names = np.array([row["record"] for row in births[0]])
    low = column(births[0], "ph") <= MILD.threshold
    inside = _losses(np.array([answers["ctu_uhb"][name] for name in names]), low)
    others = [_losses(column(rows, "ph_le_7_15_0"), low) for rows in births]
    lines += _lines("acidaemia, records (CTU-UHB)", names, inside, others)
    heads = read(folder / "hc18.csv")
    reference = column(heads, "reference_mm")
    inside = np.abs(np.array([answers["hc18"][row["image"]] for row in heads]) - reference) / reference
    outside = np.abs(column(heads, "estimate_mm") - reference) / reference
    lines += _lines("heads, images (HC18)", np.array([row["examination"] for row in heads]), inside, [outside])
    return table(["model", "n", "attack", "AUC", "members found at 5 % false alarms"], lines)


def _lines(name: str, group: Any, inside: Any, others: list[Any]) -> list[list[str]]:
    """The attack by the loss, and by the loss against its difficulty where several trainings left the row out."""
    outside = others[0]
    attacks = [("loss", attack(group, -inside, -outside))]
    if len(others) > 1:
        difficulty = np.mean(others[1:], axis=0)
        attacks.append(("against its difficulty", attack(group, difficulty - inside, difficulty - outside)))
    return [[name, str(len(inside)), how, words(result["auc"]), words(result["caught"])] for how, result in attacks]


def _reconstruction(rows: Rows) -> list[str]:
    lines = []
    for name in dict.fromkeys(row["part"] for row in rows):
        rows_of_part = part(rows, name)
        values, records = (
            f"{column(rows_of_part, f'attack_{what}').mean():.3f} (chance {column(rows_of_part, f'chance_{what}').mean():.3f})"
            for what in ("values", "records")
        )
        lines.append([name, values, records, f"{column(rows_of_part, 'small_cells').mean():.3f}"])
    return [
        "Rows rebuilt from a site's uploads (in the manner of TimberStrike); details in `federation.md`.",
        "",
        *table(["upload", "values within tolerance", "whole rows", "leaves of one to four rows"], lines),
    ]


def _survival(hospitals: dict[str, Any]) -> list[str]:
    kills = hospitals["kills"]
    plain = hospitals["plain"]["seconds_a_round"]
    stock = hospitals["stock_flower_s_an_exchange"]
    same = "the same model, byte for byte, as the run that nobody disturbed" if kills["same_model"] else "ANOTHER model"
    sites = ", ".join(f"{value:.0f}" for value in kills["sites_each_round"])
    return [
        f"One run of {kills['rounds']} rounds between three hospitals was struck {kills['server'] + kills['job']} times at random",
        f"moments by SIGKILL ({kills['server']} times the server, {kills['job']} times the job) and ended with {same}. Hospitals",
        f"in every round: {sites}. A hospital that is killed, stalls, answers no numbers or raises an error: tests in",
        "`tests/federated/test_acceptance.py`.",
        "",
        f"A round of trees, two exchanges with three hospitals over TLS, takes {plain:.1f} s with next to no work in it; one",
        f"exchange of stock Flower with two sites, without TLS, in the same run {stock:.1f} s. From no federation to a finished",
        f"run of three hospitals: {hospitals['from_nothing_to_a_finished_run_s']:.0f} s. All processes on two cores.",
        "",
    ]
