"""Readers of raw CTG."""

import json
from pathlib import Path

import edfio
import numpy as np
import pytest

from models.ctg.formats import read, read_all
from models.ctg.recording import CtgRecording
from models.errors import FormatError, InputError, RangeError
from models.synthetic.traces import as_csv, as_wfdb, trace

# The package that serves as the oracle uses calls that pandas has deprecated.
ORACLE_WARNS = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def recording():  # type: ignore[no-untyped-def]
    return trace(minutes=15, seed=1).recording


def test_wfdb_round_trip(recording) -> None:  # type: ignore[no-untyped-def]
    back = read(as_wfdb(recording, "rec"))
    assert back.sampling_rate_hz == 4
    np.testing.assert_allclose(back.fhr_bpm, recording.fhr_bpm, atol=0.006)
    assert np.isnan(back.fhr_bpm).mean() == pytest.approx(np.isnan(recording.fhr_bpm).mean())


def test_csv_round_trip(recording) -> None:  # type: ignore[no-untyped-def]
    back = read({"a.csv": as_csv(recording)})
    np.testing.assert_allclose(back.fhr_bpm, recording.fhr_bpm, atol=0.006)


def csv_trace(content: bytes, rate: float | None = None) -> CtgRecording:
    return read({"a.csv": content}, rate)


def _wfdb(format_: int, content: bytes, samples: int, gain: str = "100(0)/bpm") -> dict[str, bytes]:
    header = f"r 2 4 {samples}\nr.dat {format_} {gain} 12 0\nr.dat {format_} 1/nd 12 0\n"
    header = header.replace("12 0\n", "12 0 {} {} 0 FHR\n", 1).replace("12 0\n", "12 0 {} {} 0 UC\n", 1)
    values = {212: [(140, -3)], 80: [(120, 7)]}[format_] * samples
    numbers = [n for column in zip(*values, strict=True) for n in (column[0], sum(column))]
    return {"r.hea": header.format(*numbers).encode(), "r.dat": content}


def test_wfdb_format_212_unpacks_signed_pairs() -> None:
    # 140 and -3: 0x08C and 0xFFD -> bytes 8C F0 FD
    back = read(_wfdb(212, bytes([0x8C, 0xF0, 0xFD]) * 40, 40, gain="1/bpm"))
    assert set(back.fhr_bpm) == {140.0}
    assert back.toco is not None
    assert set(back.toco) == {-3.0}


def test_wfdb_format_80_is_offset_binary() -> None:
    back = read(_wfdb(80, bytes([128 + 120, 128 + 7]) * 40, 40, gain="1/bpm"))
    assert set(back.fhr_bpm) == {120.0}
    assert back.toco is not None
    assert set(back.toco) == {7.0}


def test_a_labour_record_says_so(recording) -> None:  # type: ignore[no-untyped-def]
    files = as_wfdb(recording, "rec")
    files["rec.hea"] += b"#Deliv. type    1\n"
    assert read(files).stage == "labour"


def _header(line: bytes) -> bytes:
    return b"r 1 4 3\n" + line + b"\n"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a.dat": b"x"}, "header"),
        ({"a.txt": b"x"}, "no column of the fetal heart rate"),
        ({"a.pdf": b"x"}, "a.pdf: not a CTG file"),
        ({}, "no CTG file was sent"),
        ({"a.hea": b"\xff\x01"}, "not a text file"),
        ({"a.hea": b"rec 1\n"}, "sampling rate is not stated"),
        ({"a.hea": b"rubbish"}, "damaged"),
        ({"a.hea": b"r 1 4 10\nr.dat 16 100 12 0 0 0 0 FHR\n"}, "r.dat, which was not uploaded"),
        ({"a.hea": b"r 1 4 10\nr.dat 16 100 12 0 0 0 0 ECG\n", "r.dat": b""}, "no channel named FHR"),
        ({"a.hea": b"r 1 4 10\nr.dat 16 100 12 0 0 0 0 FHR\n", "r.dat": b"\0" * 6}, "truncated, 3 of 10"),
        ({"a.hea": b"r 1 4 1\nr.dat 99 100 12 0 0 0 0 FHR\n", "r.dat": b"\0" * 6}, "format 99 is not known"),
        ({"a.hea": b"r 1 4 1\nr.dat 516 100 12 0 0 0 0 FHR\n", "r.dat": b"fLaC" * 6}, "FLAC stream is damaged"),
        (
            {"a.hea": b"r 1 4 3\nr.dat 16 100 12 0 0 0 0 FHR\n", "r.dat": b"\0" * 6, "s.dat": b""},
            "s.dat belongs to none",
        ),
        ({"a.csv": b"# fs: 4\nFHR\n140\n140\n", "b.json": b"{}"}, "b.json|JSON"),
        ({"a.hea": _header(b"r.dat 16 0 12 0 0 0 0 FHR"), "r.dat": b"\0" * 6}, "no gain"),
        ({"a.hea": _header(b"r.dat 16 nan 12 0 0 0 0 FHR"), "r.dat": b"\0" * 6}, "no gain"),
        ({"a.hea": _header(b"r.dat 16x4 100 12 0 0 0 0 FHR"), "r.dat": b"\0" * 6}, "several samples a frame"),
        ({"a.hea": _header(b"r.dat 16 100 12 0 5 0 0 FHR"), "r.dat": b"\0" * 6}, "do not belong together"),
        ({"a.hea": _header(b"r.dat 16 100 12 0 0 9 0 FHR"), "r.dat": b"\0" * 6}, "checksum"),
        ({"a.hea": _header(b"r.dat 16 100 12 0 0 0 0 FHR"), "r.dat": b"\0" * 60}, "30 samples"),
        ({"a.hea": b"r/2 1 4 3\nr.dat 16 100 12 0 0 0 0 FHR\n"}, "several segments"),
        ({"a.hea": b"r 1 4 -3\nr.dat 16 100 12 0 0 0 0 FHR\n"}, "-3 samples"),
        ({"a.csv": b"# fs: 4\nFHR,FHR1\n1,2\n3,4\n"}, "both look like fhr1"),
        ({"a.csv": b"# fs: 4.4.4\nFHR\n140\n140\n"}, "sampling rate is not stated"),
        ({"a.csv": b"# fs: 4\nFHR\n" + b"430\n" * 99}, "milliseconds"),
        ({"a.csv": b"# fs: 4\nFHR,UC\n" + b"12,140\n" * 99}, "exchanged"),
        ({"a.json": b"[1]"}, "object"),
        ({"a.json": b"{"}, "not valid JSON"),
        ({"a.json": b'{"fhr_bpm": [140]}'}, "sampling_rate_hz is not stated"),
        ({"a.json": b'{"sampling_rate_hz": 4, "fhr": [1]}'}, "unknown field 'fhr'"),
        ({"a.json": b'{"sampling_rate_hz": 4, "fhr_bpm": ["x"]}'}, "neither a number nor null"),
        ({"a.json": b'{"sampling_rate_hz": 4, "fhr_bpm": [1, 2], "toco": [1]}'}, "differ in length"),
        ({"a.json": b'{"sampling_rate_hz": 4}'}, "no fhr_bpm"),
        ({"a.edf": b"0" * 300}, "EDF"),
        ({"a.edf": b""}, "not an EDF header"),
        ({"a.fhr": b"\0" * 9}, "whole number of 6-byte samples"),
        ({"a.fhrm": b"\0" * 9}, "whole number of 8-byte samples"),
        ({"a.csv": b""}, "no rows"),
        ({"a.csv": b"FHR\n140\n141\n"}, "sampling rate is not stated"),
        ({"a.csv": b"# fs: 4\nUC\n1\n2\n"}, "no column of the fetal heart rate"),
        ({"a.csv": b"# fs: 4\n\nFHR\n140\nx\n"}, "line 5"),
        ({"a.csv": b"time,FHR\n0,140\n1,140\n1.4,140\n2.7,140\n3,140\n"}, "not evenly spaced"),
    ],
)
def test_bad_files_get_a_plain_answer(files: dict[str, bytes], words: str) -> None:
    with pytest.raises(FormatError, match=words):
        read(files)


def test_rate_from_a_time_column() -> None:
    lines = "time,FHR\n" + "".join(f"{i / 2},140\n" for i in range(100))
    assert csv_trace(lines.encode()).sampling_rate_hz == 2


def test_impossible_rates_and_lengths() -> None:
    with pytest.raises(RangeError, match=r"0\.5 to 1000"):
        csv_trace(b"# fs: 99999\nFHR\n140\n140\n")
    with pytest.raises(RangeError, match="24 hours"):
        csv_trace(b"FHR\n" + b"140\n" * 90000, 1.0)


def test_impossible_heart_rates_are_lost_samples() -> None:
    back = csv_trace(b"# fs: 4\nFHR\n0\n140\n400\n-5\nnan\n20\n")
    assert np.isnan(back.fhr_bpm).tolist() == [True, False, True, True, True, True]


def _edf(tmp_path: Path, *signals: edfio.EdfSignal) -> dict[str, bytes]:
    path = tmp_path / "a.edf"
    edfio.Edf(list(signals)).write(path)
    return {"a.edf": path.read_bytes()}


def _signal(values: np.ndarray, rate: float, label: str) -> edfio.EdfSignal:
    return edfio.EdfSignal(values, rate, label=label, physical_range=(-10, 300))


def test_edf_with_a_slower_tocogram(tmp_path: Path) -> None:
    heart, toco = np.tile([140.0, 142.0, 0.0, 141.0], 240), np.arange(240.0)
    back = read(_edf(tmp_path, _signal(toco, 1, "UC"), _signal(heart, 4, "FHR1")))
    assert back.sampling_rate_hz == 4
    assert np.isnan(back.fhr_bpm[2::4]).all()
    np.testing.assert_allclose(back.fhr_bpm[::4], 140, atol=0.01)
    assert back.toco is not None
    np.testing.assert_allclose(back.toco[[0, 3, 4, 400]], [0, 0, 1, 100], atol=0.01)


def test_edf_without_a_heart_rate_or_cut_off(tmp_path: Path) -> None:
    files = _edf(tmp_path, _signal(np.full(960, 80.0), 4, "MHR"))
    with pytest.raises(FormatError, match="no signal labelled FHR"):
        read(files)
    with pytest.raises(FormatError, match="truncated"):
        read({"a.edf": files["a.edf"][:-50]})


def test_fhrma_bytes() -> None:
    sample = np.array([(560, 0, 80 * 4, 40, 1)] * 2400, dtype="<u2,<u2,<u2,u1,u1")
    back = read({"a.fhrm": b"\0" * 4 + sample.tobytes()})
    assert (back.sampling_rate_hz, back.channel) == (4.0, 1)
    assert set(back.fhr_bpm) == {140.0}
    assert back.toco is not None
    assert set(back.toco) == {20.0}
    assert back.mhr_bpm is not None
    assert set(back.mhr_bpm) == {80.0}


def test_json_trace_of_twins() -> None:
    values = {"sampling_rate_hz": 4, "fhr_bpm": [140, None] * 20, "fhr2_bpm": [150] * 40, "toco": [5] * 40}
    files = {"trace.json": json.dumps(values).encode()}
    with pytest.raises(InputError, match="two fetal heart rates"):
        read(files)
    first, second = read_all(files)
    assert (first.channel, second.channel) == (1, 2)
    assert read(files, channel=2).fhr_bpm[0] == 150
    assert np.isnan(read(files, channel=1).fhr_bpm[1])


def test_a_channel_without_signal_is_said(recording) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match="no fetal heart rate on channel 2"):
        read(as_wfdb(recording, "rec"), channel=2)


@ORACLE_WARNS
def test_the_wfdb_package_reads_the_same(recording, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    import wfdb

    files = as_wfdb(recording, "rec")
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    oracle = wfdb.rdrecord(str(tmp_path / "rec"))
    ours = read(files)
    assert oracle.fs == ours.sampling_rate_hz
    np.testing.assert_allclose(np.nan_to_num(ours.fhr_bpm), oracle.p_signal[:, 0], atol=1e-9)
    np.testing.assert_allclose(ours.toco, oracle.p_signal[:, 1], atol=1e-9)


@ORACLE_WARNS
@pytest.mark.parametrize("format_", ["16", "80", "212"])
def test_formats_as_the_wfdb_package_writes_them(format_: str, tmp_path: Path) -> None:
    import wfdb

    rng = np.random.default_rng(3)
    digital = np.column_stack([rng.integers(60, 120, 401), rng.integers(0, 50, 401)])
    wfdb.wrsamp(
        "rec", fs=4, units=["bpm", "nd"], sig_name=["FHR", "UC"], d_signal=digital, fmt=[format_] * 2,
        adc_gain=[1.0, 1.0], baseline=[0, 0], write_dir=str(tmp_path),
    )  # fmt: skip
    back = read({path.name: path.read_bytes() for path in tmp_path.iterdir()})
    np.testing.assert_array_equal(back.fhr_bpm, digital[:, 0])
    np.testing.assert_array_equal(back.toco, digital[:, 1])
