"""Cohorts from the command line: built, assessed from samples and pixels, and refused in one line."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from models.errors import FetalHealthError
from models.synthetic.datasets import write_ctu_uhb, write_hc18
from studies.__main__ import app


@pytest.fixture
def studies() -> Any:
    return lambda *words: CliRunner().invoke(app, list(words))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_ctu_uhb(folder / "labour", records=6, seed=2)
    write_hc18(folder / "ultrasound", examinations=30, seed=2)
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same layouts with one picture, for what is refused before any is read."""
    folder = tmp_path_factory.mktemp("small")
    write_ctu_uhb(folder / "labour", records=6, seed=2)
    write_hc18(folder / "ultrasound", examinations=1, seed=2)
    return folder


@pytest.mark.slow
def test_cohorts_are_built_and_assessed_from_samples_and_pixels(studies: Any, data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "semi"
    made = studies("cohort", "build", "semi-real", str(data), str(folder), "--with-files")
    assert made.exit_code == 0, made.output
    assert "proves nothing clinical" in made.output
    about = json.loads((folder / "cohort.json").read_text())
    with (folder / "cohort.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert about["rows"] == len(rows) > 3
    assert studies("cohort", "build", "semi-real", str(data), str(tmp_path / "again")).exit_code == 0
    assert (tmp_path / "again" / "cohort.csv").read_bytes() == (folder / "cohort.csv").read_bytes()
    assert studies("cohort", "assess", str(folder), "--scan-valid-days", "300", "--limit", "2").exit_code == 0
    with (folder / "scores.csv").open() as handle:
        scores = list(csv.DictReader(handle))
    assert [row["record"] for row in scores] == [row["record"] for row in rows[:2]]
    assert {row["state"] for row in scores} <= {"low", "raised", "high", "cannot assess"}


@pytest.mark.slow
def test_real_and_copula_cohorts(studies: Any, data: Path, tmp_path: Path) -> None:
    assert studies("cohort", "build", "real", str(data), str(tmp_path / "real")).exit_code == 0
    assert len((tmp_path / "real" / "cohort.csv").read_text().splitlines()) == 7
    line = ("cohort", "build", "copula", str(data), str(tmp_path / "copula"), "--births", "50", "--missing", "0.5")
    assert studies(*line).exit_code == 0
    assert json.loads((tmp_path / "copula" / "cohort.json").read_text())["label"].startswith("Synthetic")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("build", "reel", "DATA", "NEW"), "one of real, semi-real, copula"),
        (("build", "real", "EMPTY", "NEW"), "CTU-UHB is not below"),
        (("build", "semi-real", "DATA", "NEW", "--correlation", "1.5"), "outside 0 to 1"),
        (("build", "copula", "DATA", "NEW", "--prevalence", "1"), "--prevalence between 0 and 1"),
        (("build", "real", "DATA", "NEW", "--with-files"), "semi-real"),
        (("build", "real", "DATA", "FULL"), "not empty"),
        (("assess", "EMPTY"), "not a semi-real cohort"),
    ],
)
def test_cohorts_refuse_in_one_line(
    studies: Any, small: Path, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x")
    (tmp_path / "empty").mkdir()
    places = {"DATA": small, "NEW": tmp_path / "new", "FULL": tmp_path / "full", "EMPTY": tmp_path / "empty"}
    answer = studies("cohort", *(str(places.get(word, word)) for word in words))
    assert isinstance(answer.exception, FetalHealthError)
    assert message in str(answer.exception)
