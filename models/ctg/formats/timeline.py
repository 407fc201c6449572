"""Samples placed by their time: gaps are lost signal; what is out of order, doubled or contradicting is refused."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.ctg.formats.labels import TIME_UNITS
from models.ctg.formats.moments import EPOCH_MS_FROM, EPOCH_S_FROM, ambiguous, as_datetime, moment_of
from models.ctg.recording import MAX_DURATION_S
from models.errors import FormatError
from models.origin import UNKNOWN_ORIGIN, Origin

Array = NDArray[np.float64]
DAY_S = 86400.0
SAME_RATE = 0.02
# How far a time may lie beside its place, in samples: recorders round their clocks.
MAX_JITTER = 0.6
CHUNK = 20_000
_PLAIN_CLOCK = re.compile(r"^\d{1,2}:\d{2}:\d{2}(?:\.\d+)?$")
_PLAIN_ISO = re.compile(r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?$")


@dataclass(frozen=True)
class Times:
    """A time column as seconds.

    Attributes
    ----------
    seconds : ndarray, shape (n,)
    origin : Origin
        The start of the recording, where the column has dates.
    remarks : tuple of str
    """

    seconds: Array
    origin: Origin = UNKNOWN_ORIGIN
    remarks: tuple[str, ...] = ()


def read_times(cells: Sequence[str], lines: Sequence[int], unit: str, days: Sequence[str] | None, kind: str) -> Times:
    """Read a column of times.

    Parameters
    ----------
    cells : sequence of str, length n
    lines : sequence of int, length n
        Line of the file that each cell stands in.
    unit : str
        As stated in the header; empty where none is.
    days : sequence of str or None
        A column of dates beside the clock times.
    kind : str
        What the file is, for messages.

    Raises
    ------
    FormatError
        A cell is no time, or the way that it is written has two meanings.
    """
    factor = TIME_UNITS.get(unit, 1.0)
    numbers = np.array([_number(cell) for cell in cells])
    if not np.isfinite(numbers[0]):
        return _written(cells, lines, unit, days, kind)
    if not np.isfinite(numbers).all():
        line = lines[int(np.flatnonzero(~np.isfinite(numbers))[0])]
        raise FormatError(f"{kind}: line {line} has no time")
    if numbers[0] > EPOCH_MS_FROM or (unit != "ms" and numbers[0] > EPOCH_S_FROM):
        seconds = numbers / 1000.0 if numbers[0] > EPOCH_MS_FROM else numbers
        return Times(seconds, Origin(as_datetime(float(seconds[0]), zoned=True)))
    return Times(numbers * factor)


def _number(cell: str) -> float:
    try:
        return float(cell.replace(",", "."))
    except ValueError:
        return float("nan")


def _written(cells: Sequence[str], lines: Sequence[int], unit: str, days: Sequence[str] | None, kind: str) -> Times:
    quick = None if days is not None else _quickly(cells)
    if quick is not None:
        return quick
    seconds = np.zeros(len(cells))
    dated = zoned = False
    for row, (cell, line) in enumerate(zip(cells, lines, strict=True)):
        text = f"{days[row].strip()} {cell.strip()}" if days is not None else cell
        if (
            cell.count(":") == 1
            and not {".", ","} & set(cell)
            and unit != "mm:ss"
            and "T" not in cell
            and len(cell) < 9
        ):
            raise FormatError(
                f"{kind}: line {line}: the time {cell.strip()!r} may be hours and minutes, or minutes and seconds; "
                "write hours, minutes and seconds"
            )
        moment = moment_of(text)
        if moment is None or not (moment.clock or days is not None):
            raise FormatError(f"{kind}: line {line}: {cell.strip()[:40]!r} is no time")
        seconds[row], dated, zoned = moment.seconds, moment.dated, moment.zoned
    first = days[0] if days is not None else cells[0]
    if not dated:
        return _of_clock(seconds)
    if ambiguous(first):
        remark = f"the date {first.split()[0]} may be day or month first, so it is not used"
        return Times(seconds, UNKNOWN_ORIGIN, (remark,))
    return Times(seconds, Origin(as_datetime(float(seconds[0]), zoned)))


def _of_clock(seconds: Array) -> Times:
    """Clock times without a date, which may run past midnight."""
    seconds = seconds + DAY_S * np.cumsum(np.diff(seconds, prepend=seconds[:1]) < -DAY_S / 2)
    return Times(seconds, UNKNOWN_ORIGIN, ("the file states the time of day, but no date",))


def _clock_seconds(cells: Sequence[str]) -> Array:
    """Seconds since midnight; a ValueError where a cell is no clock time with seconds."""
    if not all(len(cell) >= len("22:15:00") and cell[2] == ":" for cell in cells):
        raise ValueError("no two digits of hours")
    moments = np.array([f"1970-01-01T{cell}" for cell in cells], dtype="datetime64[us]")
    return np.asarray(moments.astype(np.int64) / 1e6)


def _quickly(cells: Sequence[str]) -> Times | None:
    """Clock times with seconds, or ISO times without a zone, all at once; None where a cell is of another kind."""
    try:
        if _PLAIN_CLOCK.match(cells[0]):
            chunks = [_clock_seconds(cells[start : start + CHUNK]) for start in range(0, len(cells), CHUNK)]
            return _of_clock(np.concatenate(chunks))
        if _PLAIN_ISO.match(cells[0]) and all(len(cell) >= len("2026-10-01T22:15:00") for cell in cells):
            moments = np.array(cells, dtype="datetime64[us]")
            seconds = moments.astype(np.int64) / 1e6
            return Times(seconds, Origin(as_datetime(float(seconds[0]), zoned=False)))
    except ValueError:
        pass
    return None


def evenly(seconds: Array, lines: Sequence[int], stated_hz: float | None, kind: str) -> tuple[float, NDArray[np.int64]]:
    """Sampling rate, and the place of each row on the grid.

    Raises
    ------
    FormatError
        Times run backwards, are doubled, are not those of an even sampling, or contradict the stated rate.
    """
    seconds = _within_seconds(seconds, lines, kind)
    steps = np.diff(seconds)
    if len(steps) < 2:
        raise FormatError(f"{kind}: {len(seconds)} rows are no recording")
    typical = float(np.median(steps))
    regular = steps[steps < 1.5 * typical]
    rate = 1.0 / float(regular.mean())
    whole = round(rate)
    if whole and abs(rate / whole - 1) < SAME_RATE:
        rate = float(whole)
    if stated_hz is not None:
        if abs(stated_hz / rate - 1) > SAME_RATE:
            raise FormatError(
                f"{kind}: the time column has {rate:.4g} samples a second, but {stated_hz:g} Hz was stated; leave the "
                "rate empty, or correct the times"
            )
        rate = stated_hz
    if (seconds[-1] - seconds[0]) > MAX_DURATION_S:
        raise FormatError(f"{kind}: the times span more than 24 hours; send only the part to be assessed")
    exact = (seconds - seconds[0]) * rate
    place = np.rint(exact).astype(np.int64)
    if wrong := _first(np.diff(place) <= 0):
        raise FormatError(f"{kind}: the time column is not evenly spaced: line {lines[wrong]} is no sample of its own")
    beside = np.abs(exact - place)
    if np.mean(beside > MAX_JITTER) > 0.01:
        raise FormatError(
            f"{kind}: the time column is not evenly spaced (one value a beat?); export evenly sampled values"
        )
    return rate, place


def _within_seconds(seconds: Array, lines: Sequence[int], kind: str) -> Array:
    """Times in order; of a clock without fractions the samples of each second are spread over it."""
    steps = np.diff(seconds)
    if wrong := _first(steps < 0):
        raise FormatError(f"{kind}: line {lines[wrong]} is earlier than the line before; sort the rows by time")
    if not (steps == 0).any():
        return seconds
    stamps, first, counts = np.unique(seconds, return_index=True, return_counts=True)
    inner = counts[1:-1] if len(counts) > 2 else counts
    each = int(np.median(inner))
    whole = np.allclose(stamps, np.rint(stamps), atol=1e-6)
    if not whole or each < 2 or (inner != each).any() or counts[0] > each or counts[-1] > each:
        doubled = lines[int(np.flatnonzero(steps == 0)[0]) + 1]
        raise FormatError(f"{kind}: line {doubled} has the same time as the line before")
    within = np.arange(len(seconds)) - np.repeat(first, counts)
    within[: counts[0]] += each - counts[0]  # the recording begins within a second
    return np.asarray(seconds + within / each)


def _first(wrong: NDArray[np.bool_]) -> int:
    """Row after the first step that is wrong; 0 where none is."""
    return int(np.flatnonzero(wrong)[0]) + 1 if wrong.any() else 0


def spread(values: Array, place: NDArray[np.int64]) -> Array:
    """Values on the grid; places without a row are lost samples."""
    grid = np.full(int(place[-1]) + 1, np.nan)
    grid[place] = values
    return grid
