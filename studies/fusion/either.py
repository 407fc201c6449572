"""Is the score outside labour calibrated? On constructed pairs of a table and a head, both predicted out of fold."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.evaluation.metrics import expected_calibration_error
from models.evaluation.outcome import ece_limit
from models.fusion.either import at_least_one
from models.growth.probability import SMALL_Z
from studies.heads.growth_probability import constructed
from studies.stored import Rows, column, part, read, table

Array = NDArray[np.float64]
Events = NDArray[np.bool_]
SEEDS = 5
TRAINING = "family/table"


def pairs(
    trace: tuple[Array, Events], size: tuple[Array, Events], dependence: str, seed: int
) -> tuple[Array, Array, Events]:
    """Probability of at least one, its bounds, shape (n, 2), and whether it holds, for one pairing of all traces.

    Parameters
    ----------
    trace, size : tuple of ndarray
        Probability and event of each.
    dependence : {"independent", "together", "apart"}
        Pathological traces get any size, small ones, or large ones, as far as there are such.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(size[0]), len(trace[0]), replace=False)
    if dependence != "independent":
        order = np.argsort(trace[1] + rng.uniform(0, 0.5, len(chosen)))
        ranked = chosen[np.argsort(size[1][chosen] + rng.uniform(0, 0.5, len(chosen)))]
        chosen = np.empty_like(chosen)
        chosen[order] = ranked if dependence == "together" else ranked[::-1]
    p, q = trace[0], size[0][chosen]
    both = [at_least_one(float(a), (float(a),) * 2, float(b), (float(b),) * 2) for a, b in zip(p, q, strict=True)]
    probability = np.array([one.probability for one in both])
    return probability, np.array([one.bounds for one in both]), trace[1] | size[1][chosen]


def lines(folder: Path) -> list[str]:
    """The document, line by line, from the stored predictions in `folder`."""
    z, small, _ = constructed(read(folder / "hc18.csv"), draws=5)
    rows = read(folder / "uci.csv")
    body = []
    for dependence in ("independent", "together", "apart"):
        for seed in range(SEEDS if dependence == "independent" else 1):
            probability, bounds, event = pairs(_trace(rows, seed), (small, z < SMALL_Z), dependence, seed)
            happened = float(event.mean())
            body.append(
                [
                    f"{dependence}, seed {seed}",
                    f"{len(event)}, {int(event.sum())}",
                    f"{probability.mean():.3f}, {happened:.3f}",
                    f"{bounds[:, 0].mean():.3f} to {bounds[:, 1].mean():.3f}",
                    f"{expected_calibration_error(event, probability):.3f}, {ece_limit(probability, draws=300):.3f}",
                ]
            )
    head = ["pairs", "n, events", "mean probability, observed", "mean bounds", "calibration error, limit if perfect"]
    return [
        "# At least one abnormal: the score outside labour",
        "",
        "No data set has a trace and a size of the same fetus outside labour. So these pairs are constructed: a row of UCI",
        "(pathological by experts or not; predicted out of fold, by woman, 4 federated sites) with a head of HC18 (below the 3rd",
        "centile or not, at a constructed age; measured out of fold). They show that the calculation is right for independent",
        "events, not how often the two go together. *Together* gives the small heads to the pathological traces, *apart* the",
        "other way round. Pairs made by the events themselves break what the bounds assume, that each probability stays",
        "calibrated once the other examination is known: if small fetuses have pathological traces more often, the probability",
        "is too high, which is the safe side.",
        "The limit is the 95th centile of the calibration error of perfectly calibrated predictions of the same size.",
        "",
        *table(head, body),
        "Rows of one woman and draws of one head are not independent, so the limit is too strict.",
        "",
        "Made by `make evidence` from the stored predictions of `uci` and `hc18`.",
        "",
    ]


def _trace(rows: Rows, seed: int) -> tuple[Array, Events]:
    some = part(rows, f"{TRAINING}/{seed}")
    return np.clip(column(some, "p2"), 1e-4, 1 - 1e-4), column(some, "state") == 2
