"""On the real data sets, where FETAL_HEALTH_DATA points; skipped elsewhere (the project ships none of them)."""

import os
from pathlib import Path

import numpy as np
import pytest

from models.bundle import Bundle
from models.ctg.acidaemia import MILD
from models.ctg.analysis import analyse
from models.ctg.synthetic import as_wfdb
from models.datasets import ctu_uhb, hc18, uci_ctg
from models.fusion.parts import CtgInput
from models.fusion.risk import assess
from tests.models.ctg.test_fuzz import attempt, mutated

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


@pytest.fixture(scope="module")
def births() -> list[ctu_uhb.BirthRecord]:
    where = ctu_uhb.find(FOLDER)
    if where is None:
        pytest.skip("no CTU-UHB below FETAL_HEALTH_DATA")
    return ctu_uhb.read(where)


def test_ctu_uhb_records_are_read_and_assessed(bundle: Bundle, births: list[ctu_uhb.BirthRecord]) -> None:
    for record in births[::40]:
        recording = record.recording
        assert recording.sampling_rate_hz == 4
        assert recording.stage == "labour"
        assert 6.8 <= record.ph <= 7.5
        made = assess(bundle, CtgInput(analysis=analyse(recording), stage="labour"), None)
        assert (made.score is None) == (made.distress.refusal is not None)
        if made.score is not None:
            assert made.distress.event == MILD.event
            assert 100 <= made.distress.detail["baseline_bpm"] <= 180


@pytest.mark.slow
def test_mutated_real_records_are_read_or_refused(births: list[ctu_uhb.BirthRecord]) -> None:
    rng = np.random.default_rng(1)
    for record in births[::60]:
        files = as_wfdb(record.recording, record.name)
        for _ in range(15):
            attempt(mutated(files, rng))
