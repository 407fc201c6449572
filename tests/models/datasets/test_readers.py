"""Official layouts in, canonical records out."""

import csv
import zipfile
from pathlib import Path

import httpx
import numpy as np
import pytest

from models.datasets import download, hc18, uci_ctg
from models.errors import DataSetError, FetalHealthError, InputError
from models.synthetic.datasets import is_synthetic


def test_uci_rates_and_groups(data: Path) -> None:
    folder = uci_ctg.find(data)
    assert folder is not None
    table = uci_ctg.read(folder)
    with (folder / "ctg_raw_data.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    first = rows[0]
    duration = float(first["e"]) - float(first["b"])
    assert table.features[0, 1] == pytest.approx(float(first["AC"]) / duration)
    assert table.features[0, 0] == float(first["LB"])
    assert len(table) == len(rows)
    assert set(table.state) <= {0, 1, 2}
    assert len(np.unique(table.woman)) == 40


@pytest.mark.parametrize(
    ("name", "woman"),
    [
        ("Mmbms_1.txt", "Mmbms"),
        ("Mmbms_20.txt", "Mmbms"),
        ("S0001090_1.dat", "S0001090"),
        ("S0001090.dat", "S0001090"),
        ("Variab10.txt", "Variab"),
    ],
)
def test_woman_from_the_file_name(name: str, woman: str) -> None:
    assert uci_ctg.woman_of(name) == woman


def test_uci_errors_name_the_place(tmp_path: Path, data: Path) -> None:
    with pytest.raises(DataSetError, match="neither"):
        uci_ctg.read(tmp_path)
    source = (data / "ctg" / "ctg_raw_data.csv").read_text()
    path = tmp_path / "ctg_raw_data.csv"
    path.write_text(source.replace("ASTV", "XXXX"))
    with pytest.raises(DataSetError, match="'ASTV' is missing"):
        uci_ctg.read(tmp_path)
    lines = source.splitlines()
    path.write_text("\n".join([lines[0], lines[1].replace(",0,", ",oops,", 1)]))
    with pytest.raises(DataSetError, match="not a number"):
        uci_ctg.read(tmp_path)
    path.write_text(lines[0] + "\n")
    with pytest.raises(DataSetError, match="no rows"):
        uci_ctg.read(tmp_path)
    (tmp_path / "CTG.xls").write_bytes(b"not a workbook")
    with pytest.raises(DataSetError, match="not the official workbook"):
        uci_ctg.read(tmp_path)


def test_flat_layout(tmp_path: Path) -> None:
    path = tmp_path / "fetal_health.csv"
    header = ["baseline value", *[f"c{i}" for i in range(20)], "fetal_health"]
    path.write_text(",".join(header) + "\n" + ",".join(["1"] * 21 + ["3"]) + "\n")
    features, state = uci_ctg.read_flat(path)
    assert features.shape == (1, 21)
    assert state.tolist() == [2]
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataSetError, match="21 feature columns"):
        uci_ctg.read_flat(path)


def test_hc18_ellipses_match_the_table(data: Path) -> None:
    folder = hc18.find(data)
    assert folder is not None
    for record in hc18.read(folder):
        measured = record.ellipse.perimeter * record.pixel_size_mm
        assert measured == pytest.approx(record.head_circumference_mm, rel=0.01)
        assert record.examination == record.name[:3]


def test_hc18_from_any_archive_and_repeats(data: Path, tmp_path: Path) -> None:
    folder = hc18.find(data)
    assert folder is not None
    table = (folder / hc18.TABLE_NAME).read_text().splitlines()
    row = table[1].replace("000_HC", "000_2HC")
    (tmp_path / hc18.TABLE_NAME).write_text("\n".join([*table[:3], row]) + "\n")
    with zipfile.ZipFile(tmp_path / "whatever.zip", "w") as archive:
        for name in ("000_HC", "001_HC"):
            for ending in (".png", "_Annotation.png"):
                archive.write(folder / "training_set" / (name + ending), f"deep/er/{name}{ending}")
        for ending in (".png", "_Annotation.png"):
            archive.write(folder / "training_set" / ("000_HC" + ending), f"000_2HC{ending}")
    records = hc18.read(tmp_path)
    assert {record.name: record.same_frame_as for record in records} == {
        "000_HC.png": None,
        "001_HC.png": None,
        "000_2HC.png": "000_HC.png",
    }
    assert [path.name for path in hc18.input_files(tmp_path)] == [hc18.TABLE_NAME, "whatever.zip"]


def test_hc18_errors(tmp_path: Path) -> None:
    (tmp_path / hc18.TABLE_NAME).write_text("filename,a,b\nx.png,1,2\n")
    with pytest.raises(DataSetError, match="no picture"):
        hc18.read(tmp_path)
    (tmp_path / hc18.TABLE_NAME).write_text("filename,a,b\nx.png,one,2\n")
    with pytest.raises(DataSetError, match="expected file name"):
        hc18.read(tmp_path)


def test_synthetic_folders_are_marked(data: Path, tmp_path: Path) -> None:
    assert is_synthetic(data / "ctg")
    assert not is_synthetic(tmp_path)


def test_check_and_fetch_tell_what_happened(data: Path, tmp_path: Path) -> None:
    assert all(good for good, _ in download.check(data))
    assert not any(good for good, _ in download.check(tmp_path))
    with pytest.raises(InputError, match="no data set"):
        list(download.fetch(tmp_path, "nothing"))
    archive = tmp_path / "src.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("CTG.xls", b"workbook")
    content = archive.read_bytes()
    good = httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(200, content=content)))
    lines = list(download.fetch(tmp_path / "a", "uci", good))
    assert (tmp_path / "a" / "ctg" / "uci-cardiotocography" / "CTG.xls").read_bytes() == b"workbook"
    assert any("CC BY 4.0" in line for line in lines)
    bad = httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(404)))
    with pytest.raises(FetalHealthError, match="download failed"):
        list(download.fetch(tmp_path / "b", "uci", bad))
    assert not list((tmp_path / "b").rglob("*.part"))
