"""Readers of raw CTG."""

import numpy as np
import pytest

from models.ctg.formats import read, read_csv
from models.ctg.synthetic import as_csv, as_wfdb, trace
from models.errors import FormatError, RangeError


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


def _wfdb(format_: int, content: bytes, samples: int, gain: str = "100(0)/bpm") -> dict[str, bytes]:
    header = f"r 2 4 {samples}\nr.dat {format_} {gain} 12 0 0 0 0 FHR\nr.dat {format_} 1/nd 12 0 0 0 0 UC\n"
    return {"r.hea": header.encode(), "r.dat": content}


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


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"a.dat": b"x"}, "header"),
        ({"a.txt": b"x"}, "not a CTG file"),
        ({}, "nothing"),
        ({"a.hea": b"\xff\xfe"}, "not a text file"),
        ({"a.hea": b"rec 1\n"}, "sampling rate is not stated"),
        ({"a.hea": b"rubbish"}, "damaged"),
        ({"a.hea": b"r 1 4 10\nr.dat 16 100 12 0 0 0 0 FHR\n"}, "r.dat, which was not sent"),
        ({"a.hea": b"r 1 4 10\nr.dat 16 100 12 0 0 0 0 ECG\n", "r.dat": b""}, "no channel named FHR"),
        ({"a.hea": b"r 1 4 10\nr.dat 16 100 12 0 0 0 0 FHR\n", "r.dat": b"\0" * 6}, "truncated, 3 of 10"),
        ({"a.hea": b"r 1 4 1\nr.dat 310 100 12 0 0 0 0 FHR\n", "r.dat": b"\0" * 6}, "format 310"),
        ({"a.csv": b""}, "header line"),
        ({"a.csv": b"FHR\n140\n141\n"}, "sampling rate is not stated"),
        ({"a.csv": b"# fs: 4\nUC\n1\n2\n"}, "no column FHR"),
        ({"a.csv": b"# fs: 4\nFHR,Pulse\n1,2\n3,4\n"}, "'Pulse'"),
        ({"a.csv": b"# fs: 4\nFHR\n140\nx\n"}, "line 3"),
        ({"a.csv": b"time,FHR\n0,140\n1,140\n5,140\n"}, "not evenly spaced"),
    ],
)
def test_bad_files_get_a_plain_answer(files: dict[str, bytes], words: str) -> None:
    with pytest.raises(FormatError, match=words):
        read(files)


def test_rate_from_a_time_column() -> None:
    lines = "time,FHR\n" + "".join(f"{i / 2},140\n" for i in range(100))
    assert read_csv(lines.encode()).sampling_rate_hz == 2


def test_impossible_rates_and_lengths() -> None:
    with pytest.raises(RangeError, match=r"0\.2 to 1000"):
        read_csv(b"# fs: 99999\nFHR\n140\n140\n")
    with pytest.raises(RangeError, match="24 hours"):
        read_csv(b"FHR\n" + b"140\n" * 90000, 1.0)


def test_impossible_heart_rates_are_lost_samples() -> None:
    back = read_csv(b"# fs: 4\nFHR\n0\n140\n400\n-5\nnan\n20\n")
    assert np.isnan(back.fhr_bpm).tolist() == [True, False, True, True, True, True]
