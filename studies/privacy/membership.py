"""Membership inference on the shipped bundle: ``python -m studies store membership DATA``.

Writes ``OOF_FOLDER/membership.csv``: the bundle's answer on everything that it was trained on. What it would have
answered had it not been trained on it is known from the out-of-fold predictions of the same recipe; the two together
tell how well an attacker can tell members from others (`attack`).
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle import Bundle, shipped
from models.ctg.acidaemia import MILD
from models.ctg.analysis import analyse
from models.ctg.trace_features import trace_features
from models.datasets import ctu_uhb, hc18, uci_ctg
from models.errors import DataSetError
from models.evaluation.metrics import auc, bootstrap, score_head

Array = NDArray[np.float64]
FALSE_ALARMS = 0.05


def attack(groups: NDArray[Any], inside: Array, outside: Array) -> dict[str, dict[str, Any]]:
    """How well a score tells members from others.

    Parameters
    ----------
    groups : ndarray, shape (n,)
        Woman, record or examination of each row; whole groups are drawn for the intervals.
    inside, outside : ndarray, shape (n,)
        The attacker's score of each row when it was trained on, and when it was not: larger means member.

    Returns
    -------
    dict
        ``auc`` (.5 is chance) and ``caught``, the share of members found at 5 % false alarms (5 % is chance), each with
        its interval.
    """

    def area(index: NDArray[np.int64]) -> float:
        member = np.repeat([True, False], len(index))
        return auc(member, np.concatenate([inside[index], outside[index]]))

    def caught(index: NDArray[np.int64]) -> float:
        return float(np.mean(inside[index] > np.quantile(outside[index], 1 - FALSE_ALARMS)))

    return {"auc": bootstrap(groups, area), "caught": bootstrap(groups, caught)}


def answers(bundle: Bundle, data: Path) -> Iterator[dict[str, Any]]:
    """The bundle's answer on each row of the data sets that it was trained on."""
    where = {"uci": uci_ctg.find(data), "ctu_uhb": ctu_uhb.find(data), "hc18": hc18.find(data)}
    missing = [name for name, folder in where.items() if folder is None]
    if missing or bundle.acidaemia is None:
        raise DataSetError(f"{data}: {', '.join(missing) or 'the acidaemia model'} is missing")
    folders = {name: folder for name, folder in where.items() if folder is not None}
    table = uci_ctg.read(folders["uci"])
    for row, probability in enumerate(bundle.pattern["table"].probabilities(table.features)):
        yield {"part": "uci", "name": str(row), "value": round(float(probability[table.state[row]]), 6)}
    records = ctu_uhb.read(folders["ctu_uhb"])
    features = np.array([trace_features(analyse(record.recording)) for record in records])
    mild = bundle.acidaemia.models[MILD.name].probabilities_or_prior(features)
    for record, probability in zip(records, mild, strict=True):
        yield {"part": "ctu_uhb", "name": record.name, "value": round(float(probability), 6)}
    for image in hc18.read(folders["hc18"]):
        estimate, overlap, _ = score_head(bundle.segmenter.head(image.pixels), image)
        yield {"part": "hc18", "name": image.name, "value": round(estimate, 3), "dice": round(overlap, 5)}


def store(data: Path, output: Path) -> list[Path]:
    """Store the bundle's answers."""
    path = output / "membership.csv"
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, ["part", "name", "value", "dice"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(answers(Bundle(shipped()), data))
    return [path]
