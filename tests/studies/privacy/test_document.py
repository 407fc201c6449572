"""Membership inference, and the document on privacy."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from studies.privacy import document
from studies.privacy.membership import attack

STORED = Path(__file__).parents[3] / "docs" / "evidence" / "oof"


def test_an_attacker_who_knows_nothing_is_at_chance_and_one_who_knows_all_is_not() -> None:
    rng = np.random.default_rng(1)
    groups = np.arange(400)
    blind = attack(groups, rng.normal(size=400), rng.normal(size=400))
    assert blind["auc"]["ci95"][0] < 0.5 < blind["auc"]["ci95"][1]
    assert abs(blind["caught"]["value"] - 0.05) < 0.04
    knowing = attack(groups, rng.normal(3.0, size=400), rng.normal(size=400))
    assert knowing["auc"]["value"] > 0.95
    assert knowing["caught"]["value"] > 0.8


def test_difficulty_helps_an_attacker_where_losses_alone_do_not() -> None:
    rng = np.random.default_rng(2)
    difficulty = rng.gamma(1.0, 1.0, 500)  # rows differ far more than membership does
    inside = difficulty * 0.9 + rng.normal(0, 0.01, 500)
    others = [difficulty + rng.normal(0, 0.01, 500) for _ in range(3)]
    plain, against = document._lines("x", np.arange(500), inside, others)
    assert float(plain[3][:5]) < 0.6
    assert float(against[3][:5]) > 0.8


def test_the_rounds_of_the_study_are_those_of_the_document() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("opacus")
    from studies.privacy import private_heads

    assert private_heads.ROUNDS == document.ROUNDS


def test_the_stored_attack_is_on_the_rows_of_the_shipped_bundle() -> None:
    with (STORED / "membership.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    counted = {name: sum(row["part"] == name for row in rows) for name in ("uci", "ctu_uhb", "hc18")}
    assert counted["uci"] == 1731
    assert counted["ctu_uhb"] == 441
    assert counted["hc18"] >= 829


def test_the_kills_that_are_reported_left_the_same_model() -> None:
    kills = json.loads((STORED / "hospitals.json").read_text())["kills"]
    assert kills["server"] + kills["job"] == 20
    assert kills["same_model"] is True
    assert kills["sites_each_round"] == [3.0]


@pytest.mark.slow
def test_the_document_is_that_of_the_stored_predictions() -> None:
    assert (STORED.parent / "privacy.md").read_text() == document.document(STORED)
