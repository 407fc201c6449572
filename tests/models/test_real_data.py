"""Tests on the real data sets in the folder FETAL_HEALTH_DATA. Skipped without it: the project ships none of them."""

import os
from pathlib import Path

import numpy as np
import pytest

from models.bundle import Bundle
from models.ctg.acidaemia import MILD
from models.ctg.analysis import analyse
from models.datasets import ctu_uhb, hc18, uci_ctg
from models.fusion.inputs import CtgInput
from models.fusion.risk import assess
from models.growth.measures import HC
from models.synthetic.traces import as_wfdb
from models.ultrasound.biometry import measure
from models.ultrasound.formats import as_png
from models.ultrasound.image import UltrasoundImage
from studies.heads.images_without_head import from_records
from tests.models.ctg.test_fuzz import attempt, mutated
from tests.models.ultrasound.dicoms import dicom, region
from tests.models.ultrasound.test_fuzz import attempt as read_or_refuse

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
        assessment = assess(bundle, CtgInput(analysis=analyse(recording), stage="labour"), None)
        assert (assessment.score is None) == (assessment.distress.refusal is not None)
        if assessment.score is not None:
            assert assessment.distress.event == MILD.event
            baseline = assessment.distress.detail["baseline_bpm"]
            assert 50 <= baseline <= 200
            if baseline < 100:
                assert assessment.state in ("high", "raised")


@pytest.mark.slow
def test_mutated_real_records_are_read_or_refused(births: list[ctu_uhb.BirthRecord]) -> None:
    rng = np.random.default_rng(1)
    for record in births[::60]:
        files = as_wfdb(record.recording, record.name)
        for _ in range(15):
            attempt(mutated(files, rng))


@pytest.fixture(scope="module")
def heads() -> list[hc18.HeadImage]:
    folder = hc18.find(FOLDER)
    if folder is None:
        pytest.skip("no HC18 below FETAL_HEALTH_DATA")
    return hc18.read(folder)


def test_heads_are_measured_and_what_is_no_head_is_refused(bundle: Bundle, heads: list[hc18.HeadImage]) -> None:
    """The shipped network was trained on these heads: the test shows that it measures and refuses, not how well."""
    chosen = heads[::40]
    outlines = [bundle.segmenter.head(record.pixels) for record in chosen]
    measured = [(head, record) for head, record in zip(outlines, chosen, strict=True) if head.refusal is None]
    assert len(measured) >= 0.9 * len(chosen)
    for head, record in measured:
        assert head.ellipse is not None
        measurement = measure(head.ellipse, record.pixel_size_mm, bundle.intervals)
        low, high = measurement.intervals[HC]
        assert low < measurement.values[HC] < high
        assert measurement.values[HC] == pytest.approx(record.head_circumference_mm, rel=0.08)
    refused = [bundle.segmenter.head(image.pixels).refusal is not None for _, image in from_records(chosen)]
    assert np.mean(refused) >= 0.9


@pytest.mark.slow
def test_mutated_real_pictures_are_read_or_refused(heads: list[hc18.HeadImage]) -> None:
    rng = np.random.default_rng(2)
    for record in heads[::120]:
        for content in (as_png(UltrasoundImage(record.pixels)), dicom(record.pixels, [region((0, 0, 639, 479))])):
            for _ in range(10):
                bytes_ = bytearray(content)
                for position in rng.integers(0, min(len(content), 2000), 4):
                    bytes_[position] = int(rng.integers(0, 256))
                read_or_refuse(bytes(bytes_))
