"""CTU-UHB and FHRMA in their official layouts."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from models.datasets import ctu_uhb, fhrma
from models.errors import DataSetError
from models.synthetic import datasets
from studies.traces.signal_methods import against_methods, false_signal


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("labour")
    datasets.write_ctu_uhb(target, records=6, seed=1)
    return target


def zipped(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target / "ctu-uhb-ctgdb-dev.zip", "w") as archive:
        for path in (folder / ctu_uhb.FOLDER).iterdir():
            archive.write(path, f"{ctu_uhb.FOLDER}/{path.name}")
    return target


def test_folder_and_zip_hold_the_same(folder: Path, tmp_path: Path) -> None:
    here, there = ctu_uhb.find(folder), ctu_uhb.find(zipped(folder, tmp_path))
    assert here is not None
    assert there is not None
    unpacked, archived = ctu_uhb.read(here), ctu_uhb.read(there)
    assert [record.name for record in unpacked] == ["1001", "1002", "1003", "1004", "1005", "1006"]
    assert [record.ph for record in unpacked] == [record.ph for record in archived]
    np.testing.assert_array_equal(unpacked[2].recording.fhr_bpm, archived[2].recording.fhr_bpm)
    assert len(ctu_uhb.input_files(here)) == 12
    assert ctu_uhb.input_files(there) == [there]


def test_headers_give_ph_stage_and_second_stage(folder: Path, tmp_path: Path) -> None:
    source = folder / ctu_uhb.FOLDER
    for path in source.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    header = tmp_path / "1001.hea"
    lines = header.read_text().replace("#Pos. II.st.  -1", "#Pos. II.st.  4800\n#Deliv. type 1")
    header.write_text("\n".join("#pH           7" if line.startswith("#pH") else line for line in lines.splitlines()))
    unknown = tmp_path / "1002.hea"
    unknown.write_text("\n".join(line for line in unknown.read_text().splitlines() if not line.startswith("#pH")))
    records = ctu_uhb.read(tmp_path)
    assert records[0].ph == 7.0
    assert records[0].second_stage_s == 1200.0
    assert records[0].recording.stage == "labour"
    assert [record.name for record in records][1] == "1003"
    assert records[1].second_stage_s is None


def test_damage_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "1001.hea").write_bytes((folder / ctu_uhb.FOLDER / "1001.hea").read_bytes())
    with pytest.raises(DataSetError, match=r"1001\.(hea|dat)"):
        ctu_uhb.read(tmp_path)
    (tmp_path / "1001.dat").write_bytes(b"\0" * 100)
    with pytest.raises(DataSetError, match="record 1001"):
        ctu_uhb.read(tmp_path)
    (tmp_path / "ctu-uhb-ctgdb.zip").write_bytes(b"no zip")
    location = ctu_uhb.find(tmp_path)
    assert location is not None
    with pytest.raises(DataSetError, match="damaged archive"):
        ctu_uhb.read(location)
    assert ctu_uhb.find(tmp_path / "nothing") is None


def test_expert_readings(tmp_path: Path, folder: Path) -> None:
    where = ctu_uhb.find(zipped(folder, tmp_path))
    assert where is not None
    assert ctu_uhb.experts(where) == []
    (tmp_path / ctu_uhb.EXPERTS).write_text(
        "rec_id,expert_id,eval_step1,eval_step2,eval_step3,eval_step4\n1001,3,1,2,-1,1\n"
    )
    assert ctu_uhb.experts(where) == [ctu_uhb.ExpertReading("1001", 3, (1, 2, -1))]
    (tmp_path / ctu_uhb.EXPERTS).write_text("rec_id,expert_id\n1001,x\n")
    with pytest.raises(DataSetError, match="expert_annotations"):
        ctu_uhb.experts(where)


def fhrma_folder(root: Path) -> Path:
    """One morphology trace with three methods, unpacked annotated recording with the mother's pulse in it."""
    (root / "FHRMAdataset" / "analyses").mkdir(parents=True)
    (root / "FHRMAdataset" / "traindata").mkdir()
    (root / "FSdataset" / "DopMHR" / "Train").mkdir(parents=True)
    seconds = np.arange(0, 1800, 0.25)
    heart = 140 + 2 * np.sin(seconds / 5) + 30 * np.exp(-(((seconds - 900) / 20) ** 2))
    sample = np.zeros(len(heart), dtype="<u2,<u2,u1,u1")
    sample["f0"] = np.round(heart * 4)
    (root / "FHRMAdataset" / "traindata" / "train01.fhr").write_bytes(b"\0" * 4 + sample.tobytes())
    entry = np.array(
        [("train01.fhr", np.full(len(heart), 140.0), np.array([[14.4, 15.6]]), np.empty((0, 2)))],
        dtype=[("filename", "O"), ("baseline", "O"), ("accelerations", "O"), ("decelerations", "O")],
    )
    for code in fhrma.METHODS:
        savemat(root / "FHRMAdataset" / "analyses" / f"{code}_std.mat", {"data": entry})
    with_mother = np.zeros(len(heart), dtype="<u2,<u2,<u2,u1,u1")
    mother = 80 + np.sin(seconds / 30)
    wrong = (seconds >= 300) & (seconds < 500)
    with_mother["f0"] = np.round(np.where(wrong, mother + 1, heart) * 4)
    with_mother["f2"] = np.round(mother * 4)
    (root / "FSdataset" / "DopMHR" / "Train" / "DopTrain0001.fhrm").write_bytes(b"\0" * 4 + with_mother.tobytes())
    nothing = np.empty((0, 2))
    labels = np.array(
        [("DopTrain0001.fhrm", np.array([[1, 1200], [2001, 7200]]), np.array([[1201, 2000]]), nothing, nothing)],
        dtype=[("filename", "O"), ("TS_FHR", "O"), ("FS_FHR", "O"), ("TS_MHR", "O"), ("FS_MHR", "O")],
    )
    savemat(root / "FSdataset" / "expertAnnotations.mat", {"DB": labels})
    return root


def test_fhrma_is_read_and_compared(tmp_path: Path) -> None:
    root = fhrma_folder(tmp_path)
    assert fhrma.find(root) == root
    location = against_methods(root)
    assert location["traces"] == 1
    assert location["ours"]["baseline_rmsd_bpm"] < 2
    assert location["ours"]["acceleration_f1"] == 1.0
    assert location["Ayres"]["baseline_rmsd_bpm"] == 0
    false = false_signal(root)["DopTrain"]
    assert false["sensitivity"] > 0.95
    assert false["specificity"] > 0.98
    assert fhrma.find(tmp_path / "FSdataset" / "DopMHR") is None
