"""Readings of a hospital's own panel: what is read, and which line is refused for what."""

from pathlib import Path

import pytest

from models.datasets import panel
from models.errors import DataSetError
from models.synthetic.datasets import write_panel

HEAD = ",".join(panel.COLUMNS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("panel")
    write_panel(made, women=3, seed=1)
    return made


def written(folder: Path, *lines: str, head: str = HEAD) -> Path:
    """The folder with these lines instead of its own."""
    (folder / panel.FILE).write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    return folder


def lines_of(*readings: str, woman: str = "A", file: str = "P000.hea", window: str = "0,30") -> list[str]:
    """One line for each reader."""
    return [f"{woman},{file},{window},r{number},{reading}" for number, reading in enumerate(readings)]


@pytest.fixture
def own(folder: Path, tmp_path: Path) -> Path:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_each_window_has_its_trace_and_its_readings(folder: Path) -> None:
    windows = panel.read(folder)
    assert [window.woman for window in windows] == [f"P{k:03d}" for k in (0, 0, 1, 1, 2, 2)]
    assert all(len(window.readings) == 4 and window.recording.duration_s == 1800.0 for window in windows)
    assert panel.find(folder.parent) == folder
    names = {path.name for path in panel.input_files(folder)}
    assert names == {panel.FILE} | {f"P{k:03d}.{ending}" for k in range(3) for ending in ("hea", "dat")}


@pytest.mark.parametrize(
    ("readings", "majority"),
    [
        (("normal", "normal", "suspicious"), 0),
        (("Pathological ", "pathological", "normal", "not interpretable"), 2),
        (("normal", "normal", "not interpretable"), None),
        (("normal", "normal", "suspicious", "suspicious"), None),
        (("normal",), None),
    ],
)
def test_a_majority_needs_three_readers_and_no_tie(own: Path, readings: tuple[str, ...], majority: int | None) -> None:
    (window,) = panel.read(written(own, *lines_of(*readings)))
    assert window.majority == majority


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("A,P000.hea,0,30,r9,fine", "line 2: reading 'fine': it is normal, suspicious, pathological or not interpr"),
        ("A,P000.hea,0,5,r9,normal", "line 2: the window must last at least 10 min"),
        ("A,P000.hea,x,30,r9,normal", "line 2: from_min and to_min are minutes"),
        ("A,P000.hea,nan,30,r9,normal", "line 2: the window must last at least 10 min"),
        ("A,P000.hea,40,70,r9,normal", "line 2: P000.hea ends after 60.0 min"),
        ("A,../P000.hea,0,30,r9,normal", "line 2: file '../P000.hea': give the name of a file in the same folder"),
        ("A,P999.csv,0,30,r9,normal", "line 2: P999.csv is not in the folder"),
        (",P000.hea,0,30,r9,normal", "line 2: woman and file are needed"),
        ("A,P000.hea,0,30,,normal", "line 2: reader is empty"),
        ("A,P000.hea,0,30,r1,normal\nA,P000.hea,0,30,r1,normal", "line 3: r1 has read this window already"),
        ("A,P000.dat,0,30,r9,normal", "line 2: P000.dat: .*header"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(own: Path, line: str, why: str) -> None:
    with pytest.raises(DataSetError, match=why):
        panel.read(written(own, line))


def test_a_missing_column_or_file_is_named(own: Path, tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="column reader is missing; needed are woman"):
        panel.read(written(own, head=HEAD.replace("reader", "who")))
    with pytest.raises(DataSetError, match="cannot be read"):
        panel.read(tmp_path / "nowhere")
