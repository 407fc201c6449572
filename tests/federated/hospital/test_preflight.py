"""What a hospital looks at before it joins."""

import importlib.util
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from federated.hospital import preflight
from models.errors import InputError
from models.synthetic import datasets
from tests.conftest import need


@pytest.fixture(autouse=True)
def _flower() -> None:
    need(importlib.util.find_spec("flwr") is not None, "training is not installed")


@pytest.mark.slow
def test_each_kind_of_data_is_found_and_reported(tmp_path: Path) -> None:
    datasets.write(tmp_path / "all", women=30, records=12, examinations=8, seed=1)
    with pytest.raises(InputError, match="holds ctg, acidaemia, grader, ultrasound: choose one with --modality"):
        preflight.preflight("anne", tmp_path / "all", None, tmp_path)
    for modality, words in (
        ("ctg", "pathological: "),
        ("acidaemia", "pH below 7.05: "),
        ("grader", "suspicious: "),
        ("ultrasound", "HC below 150"),
    ):
        site = preflight.preflight("anne", tmp_path / "all", modality, tmp_path)  # type: ignore[arg-type]
        lines = list(preflight.report(site))
        assert f"{modality}: {site.rows} rows of {len(site.groups)}" in lines[0]
        assert "synthetic" in lines[1]
        assert any(words in line for line in lines)


def test_a_folder_without_known_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="no data in the layout of UCI cardiotocography, CTU-UHB, panel readings, HC18"
    ):
        preflight.preflight("anne", tmp_path, None, tmp_path)
    with pytest.raises(InputError, match="no HC18 data there"):
        preflight.preflight("anne", tmp_path, "ultrasound", tmp_path)


def test_rows_of_one_class_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from federated.sites.site import Site

    datasets.write_uci(tmp_path / "data", women=20, seed=1)
    monkeypatch.setattr(
        preflight, "undivided", lambda name, modality, data: Site(name, modality, str(data), ["a"], 40, [40, 0, 0])
    )
    with pytest.raises(InputError, match="all 40 rows are of one class"):
        preflight.preflight("anne", tmp_path / "data", None, tmp_path)


def test_a_full_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(100, 100, 3 * 2**20))
    with pytest.raises(InputError, match="3 MB are free, 200 are needed: make room and try again"):
        preflight.check_disk(tmp_path / "not" / "yet")
