"""On the real data sets, where FETAL_HEALTH_DATA points; skipped elsewhere (the project ships none of them)."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from models.bundle import Bundle
from models.ctg import formats
from models.ctg.analysis import analyse
from models.datasets import hc18, uci_ctg
from models.fusion.parts import CtgInput
from models.fusion.risk import assess

DATA = os.environ.get("FETAL_HEALTH_DATA")
pytestmark = pytest.mark.skipif(DATA is None, reason="FETAL_HEALTH_DATA is not set")
FOLDER = Path(DATA or ".")


def test_workbook_and_csv_agree(tmp_path: Path) -> None:
    folder = uci_ctg.find(FOLDER)
    assert folder is not None
    if not all((folder / name).exists() for name in (uci_ctg.WORKBOOK, uci_ctg.RAW_TABLE)):
        pytest.skip("only one of the two forms is there")
    (tmp_path / uci_ctg.RAW_TABLE).write_bytes((folder / uci_ctg.RAW_TABLE).read_bytes())
    workbook, table = uci_ctg.read(folder), uci_ctg.read(tmp_path)
    np.testing.assert_allclose(workbook.features, table.features)
    np.testing.assert_array_equal(workbook.state, table.state)
    np.testing.assert_array_equal(workbook.woman, table.woman)
    flat = folder / uci_ctg.FLAT_TABLE
    if flat.exists():
        features, state = uci_ctg.read_flat(flat)
        np.testing.assert_allclose(features, table.features, atol=5.1e-4)
        np.testing.assert_array_equal(state, table.state)


def test_hc18_references_agree_with_their_outlines() -> None:
    folder = hc18.find(FOLDER)
    assert folder is not None
    records = hc18.read(folder)
    error = [record.ellipse.perimeter * record.pixel_size_mm - record.head_circumference_mm for record in records]
    assert np.abs(error).max() < 0.1


def test_ctu_uhb_records_are_read_and_assessed(bundle: Bundle) -> None:
    archives = [path for path in FOLDER.rglob("*.zip") if "ctu" in path.name]
    if not archives:
        pytest.skip("no CTU-UHB archive below FETAL_HEALTH_DATA")
    with zipfile.ZipFile(archives[0]) as archive:
        headers = sorted(name for name in archive.namelist() if name.endswith(".hea"))[::40]
        assert headers
        for name in headers:
            files = {Path(n).name: archive.read(n) for n in (name, name.replace(".hea", ".dat"))}
            recording = formats.read(files)
            assert recording.sampling_rate_hz == 4
            assert recording.stage == "labour"
            analysis = analyse(recording)
            made = assess(bundle, CtgInput(analysis=analysis, stage="labour"), None)
            assert (made.score is None) == (made.distress.refusal is not None)
            if analysis.baseline_bpm is not None:
                assert 80 < analysis.baseline_bpm < 200
