"""Tables as hospitals export them: every variant is read with exactly its samples, or refused with its reason."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from models.ctg.formats import column_map, read, table
from models.errors import FormatError, InputError
from models.synthetic.exports import RATE_HZ, START, Export, exports, truth

EXPORTS = {export.name: export for export in exports()}


@pytest.mark.parametrize("name", [name for name, export in EXPORTS.items() if export.readable])
def test_what_can_be_read_is_read_with_its_samples(name: str) -> None:
    export = EXPORTS[name]
    back = read({export.file: export.content}, export.rate_hz, columns=export.columns)
    fhr, toco = truth()
    expected = fhr if export.fhr is None else export.fhr
    assert back.sampling_rate_hz == RATE_HZ
    np.testing.assert_array_equal(back.fhr_bpm, expected)
    assert (back.toco is not None) == export.has_toco
    if back.toco is not None:
        present = np.isfinite(expected)
        np.testing.assert_array_equal(back.toco[present], toco[present])
    assert (back.origin.made_at is not None) == export.dated
    if back.origin.made_at is not None:
        assert back.origin.made_at.replace(tzinfo=None) == START.replace(tzinfo=None)


REASONS = {
    "no rate at all": "sampling rate is not stated",
    "decimal commas in a comma file": "line 2 has more cells than there are labels .4 and 2.",
    "hours and minutes alone": "line 2: the time '22:15' may be hours and minutes, or minutes and seconds",
    "one value a line without a rate": "one value a line and no sampling rate",
    "labels that nobody knows": "found: x1, x2, x3.*map it, such as NAME:fhr1",
    "a map to a column that is not there": "no column 'x9' to map; there are time, FHR, UC",
    "two columns for one": "'FHR' and 'hr' both look like fhr1",
    "heart rate in ms": "is in ms; send beats per minute",
    "a word among the numbers": "line 301, column FHR: 'fast' is not a number",
    "cells beyond the labels": "line 301 has more cells",
    "another rate stated": "4 samples a second, but 1 Hz was stated",
    "another rate in a comment": "4 samples a second, but 1 Hz was stated",
    "halves exchanged": "line 3002 is earlier than the line before",
    "a doubled row": "line 501 has the same time as the line before",
    "a time missing": "line 501 has no time",
    "an empty file": "no rows",
    "labels alone": "no samples below the labels",
    "a program": "not a text file",
}


def refused(export: Export) -> str:
    """The words of the refusal."""
    with pytest.raises(FormatError) as error:
        read({export.file: export.content}, export.rate_hz, columns=export.columns)
    return str(error.value)


@pytest.mark.parametrize("name", [name for name, export in EXPORTS.items() if not export.readable])
def test_what_cannot_be_read_says_why_and_where(name: str) -> None:
    with pytest.raises(FormatError, match=REASONS[name]):
        raise FormatError(refused(EXPORTS[name]))


def test_what_is_not_used_is_named() -> None:
    remarks = {
        "columns of others": "not used: SpO2, id",
        "patient lines above": "2 lines above the labels were not used",
        "hr and ua": "column 'hr' was read as the fetal heart rate",
        "rows of ten minutes missing": "10.0 min without rows are lost signal",
        "clock times past midnight": "the file states the time of day, but no date",
    }
    for name, remark in remarks.items():
        export = EXPORTS[name]
        assert remark in read({export.file: export.content}, export.rate_hz).remarks
    assert "Maria" not in str(read({"a.csv": EXPORTS["patient lines above"].content}).remarks)


def test_a_date_with_two_meanings_is_not_used() -> None:
    rows = [f"03/04/2026 10:00:{second:02d};140" for second in range(60)]
    back = read({"a.csv": "\n".join(["time;FHR", *rows]).encode()})
    assert back.origin.made_at is None
    assert "the date 03/04/2026 may be day or month first, so it is not used" in back.remarks


def test_a_clock_with_am_and_pm_passes_noon() -> None:
    start = datetime(2026, 5, 1, 11, 59, 30)
    rows = [f"{start + timedelta(seconds=k):%I:%M:%S %p},140" for k in range(60)]
    back = read({"a.csv": "\n".join(["time,FHR", *rows]).encode()})
    assert (len(back.fhr_bpm), back.sampling_rate_hz) == (60, 1.0)


def test_an_index_places_samples_where_the_rate_is_known() -> None:
    rows = [f"{k},140" for k in range(100) if not 40 <= k < 60]
    back = read({"a.csv": "\n".join(["sample,FHR", *rows]).encode()}, 4.0)
    assert np.isnan(back.fhr_bpm[40:60]).all()
    assert len(back.fhr_bpm) == 100


def test_an_uneven_time_column_is_refused() -> None:
    rng = np.random.default_rng(1)
    beats = np.cumsum(rng.uniform(0.35, 0.55, 300))
    rows = [f"{second:.3f},{60 / 0.45:.0f}" for second in beats]
    with pytest.raises(FormatError, match="not evenly spaced"):
        read({"a.csv": "\n".join(["time,FHR", *rows]).encode()})


def test_a_column_map_is_typed_as_words() -> None:
    assert column_map(" FCF : fhr1 , tempo:time,") == {"FCF": "fhr1", "tempo": "time"}
    assert column_map(None) == {}
    with pytest.raises(InputError, match="write LABEL:what"):
        column_map("FCF=fhr1")
    with pytest.raises(FormatError, match="cannot be 'heart'; it is one of"):
        read({"a.csv": b"FCF\n140\n"}, 4.0, columns={"FCF": "heart"})
    with pytest.raises(FormatError, match="is no table"):
        read({"a.json": b"{}"}, columns={"FCF": "fhr1"})


def test_limits_hold_before_anything_is_allocated() -> None:
    wide = b"FHR" + b"," * 80_000 + b"x\n" + b"140\n" * 3
    with pytest.raises(FormatError, match="a line has more than 4096 bytes"):
        read({"a.csv": wide}, 4.0)
    with pytest.raises(FormatError, match="101 columns; at most 64"):
        read({"a.csv": b"FHR" + b",a" * 100 + b"\n140\n"}, 4.0)
    with pytest.raises(FormatError, match="500,000 rows; at most 400,000"):
        read({"a.csv": b"1\n" * 500_000}, 4.0)
    with pytest.raises(FormatError, match="more than 2,500,000 cells"):
        read({"a.csv": b"FHR" + b",a" * 9 + b"\n" + b"1,1,1,1,1,1,1,1,1,1\n" * 300_000}, 4.0)
    with pytest.raises(FormatError, match="span more than 24 hours"):
        read({"a.csv": b"time,FHR\n0,140\n1,140\n2,140\n3,140\n900000,140\n"})
    assert table.MAX_ROWS >= 24 * 3600 * 4
