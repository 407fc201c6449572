"""CSV traces: columns FHR or FHR1 and, if present, FHR2, UC, MHR and time."""

import csv
import io
import re

import numpy as np
from numpy.typing import NDArray

from models.ctg.formats.channels import Channels, channel_of
from models.errors import FormatError

Array = NDArray[np.float64]
_RATE = re.compile(r"(?:sampling[ _]?rate|fs|rate)(?:_hz)?\s*[:=]\s*([0-9.]+)", re.IGNORECASE)


def read(content: bytes, sampling_rate_hz: float | None = None) -> Channels:
    """Read a CSV with a column FHR (bpm; 0 or empty = lost).

    The sampling rate is taken from the argument, from a leading comment such as ``# sampling_rate_hz: 4``
    or from an evenly spaced column of seconds.

    Raises
    ------
    FormatError
        A column is unknown or missing, a cell is no number, or no rate is stated.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FormatError("CSV: not a text file") from None
    lines = [line for line in text.splitlines() if line.strip()]
    comments = [line for line in lines if line.startswith("#")]
    body = [line for line in lines if not line.startswith("#")]
    if len(body) < 2:
        raise FormatError("CSV: a header line with a column FHR, and samples below it, are needed")
    delimiter = ";" if body[0].count(";") > body[0].count(",") else ","
    header = [name.strip() for name in body[0].split(delimiter)]
    columns: dict[str, Array] = {}
    cells = _cells(body[1:], delimiter, header)
    for position, name in enumerate(header):
        channel = channel_of(name)
        if channel is None:
            raise FormatError(f"CSV: unknown column {name!r}; known are time, FHR (or FHR1), FHR2, UC and MHR")
        if channel in columns:
            raise FormatError(f"CSV: column {name!r} occurs twice")
        columns[channel] = cells[:, position]
    heart = {number: columns[f"fhr{number}"] for number in (1, 2) if f"fhr{number}" in columns}
    if not heart:
        raise FormatError("CSV: no column FHR")
    rate = sampling_rate_hz or _stated(comments) or _rate_of(columns.get("time"))
    if rate is None:
        raise FormatError("CSV: the sampling rate is not stated; give it in Hz, or add a column of seconds")
    return Channels(heart, rate, "CSV", columns.get("toco"), columns.get("mhr"))


def _stated(comments: list[str]) -> float | None:
    for line in comments:
        if match := _RATE.search(line):
            try:
                return float(match.group(1))
            except ValueError:
                raise FormatError(f"CSV: {match.group(1)!r} is not a sampling rate") from None
    return None


def _cells(lines: list[str], delimiter: str, header: list[str]) -> Array:
    """All numbers, shape (samples, columns). The fast way if every cell is a number, else cell by cell."""
    try:
        cells = np.loadtxt(lines, delimiter=delimiter, comments=None, ndmin=2)
        if cells.shape == (len(lines), len(header)):
            return np.asarray(cells, dtype=np.float64)
    except ValueError:
        pass
    values = np.full((len(lines), len(header)), np.nan)
    try:
        rows = list(csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter))
    except csv.Error as error:
        raise FormatError(f"CSV: {error}") from None
    for number, row in enumerate(rows[: len(values)]):
        for position, name in enumerate(header):
            cell = row[position].strip() if position < len(row) else ""
            try:
                values[number, position] = float(cell.replace(",", ".")) if cell else np.nan
            except ValueError:
                raise FormatError(f"CSV: line {number + 2}, column {name}: {cell[:40]!r} is not a number") from None
    return values


def _rate_of(seconds: Array | None) -> float | None:
    if seconds is None or len(seconds) < 3:
        return None
    steps = np.diff(seconds)
    step = float(np.median(steps))
    if not np.isfinite(steps).all() or step <= 0 or np.max(np.abs(steps - step)) > 0.1 * step:
        raise FormatError("CSV: the time column is not evenly spaced seconds; state the sampling rate")
    return 1.0 / step
