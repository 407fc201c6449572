"""Documents from stored predictions: every number comes from the rows."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from models.bundle import shipped
from models.ctg.acidaemia import LEADS_MIN, MILD
from studies.acidaemia import document as acidaemia
from studies.families import federation_document as federation
from studies.heads.document import ultrasound_document
from studies.pattern import document as pattern
from studies.pattern.rules import chosen
from studies.plots import draw
from studies.stored import part, read, seeds, table, words
from studies.traces import document as traces

STORED = Path(__file__).parents[2] / "docs" / "evidence" / "oof"


@pytest.mark.slow
def test_the_committed_documents_are_what_the_rows_say(tmp_path: Path) -> None:
    folder = STORED.parent
    assert (folder / "ultrasound.md").read_text() == ultrasound_document(STORED)
    text = (folder / "ctg.md").read_text()
    for name in ("AUC", "leakage", "nine obstetricians", "Between table and trace", "What else was tried"):
        assert name in text
    for figure in acidaemia.headline(read(STORED / "ctu_uhb.csv")).values():
        assert figure in text
    first = part(read(STORED / "uci.csv"), "family/table/0")
    score = f1_score([row["state"] for row in first], [str(state) for state in chosen(first)], average="macro")
    assert f"{score:.3f}" in (folder / "federation.md").read_text()
    for name in ("evidence-roc.png", "evidence-reliability.png", "evidence-lead-time.png"):
        assert (folder.parent / "images" / name).exists()


def test_the_federations_document_is_what_the_rows_say() -> None:
    text = (STORED.parent / "federation.md").read_text()
    manifest = federation.manifest_of(shipped())
    for lines in (
        federation._sites(manifest),
        federation._images(read(STORED / "image_sites.csv")),
        federation._attack(read(STORED / "reconstruction.csv")),
    ):
        assert "\n".join(lines) in text
    assert (STORED.parents[1] / "images" / "evidence-sites.png").exists()


def test_no_expert_reading_is_committed() -> None:
    stored = json.loads((STORED / "measuring.json").read_text())
    assert "readers" in stored["experts"]["events"]["pH < 7.05"]
    text = json.dumps(stored["experts"])
    assert len(text) < 20_000
    assert "eval_step" not in text


def test_recall_at_a_precision() -> None:
    event = np.array([True, True, False, True, False, False])
    score = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    assert pattern.recall_at_precision(event, score) == 1.0
    assert pattern.recall_at_precision(np.array([False, True, True]), np.array([0.9, 0.8, 0.1])) != 1.0
    assert np.isnan(pattern.recall_at_precision(~event, score))


def test_parts_and_seeds() -> None:
    rows = [{"part": name, "x": "1"} for name in ("a/0", "a/1", "b/0", "a/0")]
    assert len(part(rows, "a/0")) == 2
    assert [len(one) for one in seeds(rows, "a")] == [2, 1]
    assert table(["x"], [["1"]]) == ["| x |", "|---|", "| 1 |", ""]
    assert words({"value": None, "ci95": None}) == "not defined"
    assert words({"value": 0.5, "ci95": [0.25, 0.75]}, 2) == "0.50 (0.25 to 0.75)"


def small(folder: Path) -> Path:
    """Small predictions of the right shape."""
    rng = np.random.default_rng(0)
    rows = []
    for seed in range(2):
        for training in ("dirichlet", "central"):
            for record in range(80):
                ph = 7.3 - 0.004 * record
                row = {
                    "part": f"{training}/{seed}",
                    "record": str(1001 + record),
                    "fold": record % 5,
                    "ph": round(ph, 3),
                }
                for lead in LEADS_MIN:
                    row[f"assessed_{lead}"] = 1
                    for target in acidaemia.EVENTS:
                        row[f"{target}_{lead}"] = round(float(np.clip(record / 90 + rng.normal(0, 0.1), 0.01, 0.99)), 4)
                rows.append(row)
    with (folder / "ctu_uhb.csv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / "ctu_uhb.csv"


@pytest.mark.slow
def test_document_and_pictures_of_small_predictions(tmp_path: Path) -> None:
    rows = read(small(tmp_path))
    text = "\n".join(acidaemia.lines(rows, []))
    assert "80 labour records" in text
    assert "| AUC |" in text
    event, score = acidaemia.scores(part(rows, "dirichlet/0"), MILD.name)
    assert event.sum() == 42
    assert len(score) == 80
    made = draw(rows, tmp_path)
    assert [path.name for path in made] == ["evidence-roc.png", "evidence-reliability.png", "evidence-lead-time.png"]
    assert all(path.stat().st_size > 5000 for path in made)


def test_measuring_without_the_data_sets_says_less() -> None:
    text = "\n".join(traces.lines({"simulated": {}}))
    assert "Two generators" in text
    assert "obstetricians" not in text


def test_the_cross_fitted_choice_is_not_scored_on_itself() -> None:
    def variant(scores: list[float]) -> list[list[dict[str, str]]]:
        ph = [7.0, 7.3, 7.0, 7.3]
        return [
            [
                {"fold": str(i // 2), "ph": str(p), MILD.name: str(s)}
                for i, (p, s) in enumerate(zip(ph, scores, strict=True))
            ]
        ]

    # Each variant is right on one fold and wrong on the other: chosen on the other fold, always wrong.
    first, second = variant([0.9, 0.1, 0.1, 0.9]), variant([0.1, 0.9, 0.9, 0.1])
    assert acidaemia.cross_fitted({"a": first, "b": second}, MILD.name) == 0.0
    good = variant([0.9, 0.1, 0.8, 0.2])
    assert acidaemia.cross_fitted({"a": good, "b": first}, MILD.name) == 1.0
