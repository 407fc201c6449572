"""Readers of raw CTG: WFDB (header and signal file) and CSV with a stated sampling rate.

WFDB header: https://physionet.org/physiotools/wag/header-5.htm ; formats 16 (little-endian int16),
80 (offset binary) and 212 (12-bit pairs). A rate that is not stated is never guessed.
"""

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.ctg.recording import CtgRecording, recording
from models.errors import FormatError

Array = NDArray[np.float64]
_FHR = re.compile(r"^(fhr1?|fetal heart rate|fhr_bpm|fhr\s*\(bpm\))$", re.IGNORECASE)
_TOCO = re.compile(r"^(uc|toco|tocogram|ua|uc_mmhg)$", re.IGNORECASE)
_TIME = re.compile(r"^(time|t|seconds|time_s|time\s*\(s\)|time\s*\[s\])$", re.IGNORECASE)
_RATE = re.compile(r"(?:sampling[ _]?rate|fs|rate)(?:_hz)?\s*[:=]\s*([0-9.]+)", re.IGNORECASE)


@dataclass(frozen=True)
class _Signal:
    file: str
    format: int
    gain: float
    baseline: float
    name: str


def read(files: Mapping[str, bytes], sampling_rate_hz: float | None = None) -> CtgRecording:
    """Read one recording from uploaded files, by name.

    Parameters
    ----------
    files : mapping of str to bytes
        Either a ``.hea`` and its ``.dat``, or one ``.csv``.
    sampling_rate_hz : float, optional
        For a CSV that does not state it.

    Raises
    ------
    FormatError
        The files are of no known kind, do not belong together, or are damaged.
    RangeError
        The sampling rate or the length is impossible.
    """
    by_ending = {name.rsplit(".", 1)[-1].lower(): name for name in files if "." in name}
    if "hea" in by_ending:
        return read_wfdb(files[by_ending["hea"]], files)
    if "dat" in by_ending:
        raise FormatError(f"{by_ending['dat']}: the header (.hea) of this WFDB record is missing; send both files")
    if "csv" in by_ending:
        return read_csv(files[by_ending["csv"]], sampling_rate_hz)
    names = ", ".join(files) or "nothing"
    raise FormatError(f"{names}: not a CTG file; send a WFDB pair (.hea and .dat) or a .csv")


def read_wfdb(header: bytes, files: Mapping[str, bytes]) -> CtgRecording:
    """Read a single-segment WFDB record with a channel named FHR and, if present, one named UC."""
    rate, samples, signals, comments = _header(header)
    fhr = next((s for s in signals if _FHR.match(s.name)), None)
    toco = next((s for s in signals if _TOCO.match(s.name)), None)
    if fhr is None:
        found = ", ".join(signal.name for signal in signals) or "none"
        raise FormatError(f"WFDB header: no channel named FHR (found: {found})")
    content = files.get(fhr.file)
    if content is None:
        raise FormatError(f"WFDB header names {fhr.file}, which was not sent; send both files")
    if len({(s.file, s.format) for s in signals}) != 1:
        raise FormatError("WFDB: all channels must stand in one file of one format")
    digital = _samples(content, fhr.format, len(signals), samples, fhr.file)

    def physical(signal: _Signal) -> Array:
        values = digital[:, signals.index(signal)].astype(np.float64)
        return np.asarray((values - signal.baseline) / signal.gain)

    stage = "labour" if "Pos. II.st" in comments or "Deliv. type" in comments else "unknown"
    return recording(physical(fhr), physical(toco) if toco else None, rate, "WFDB", stage)


def _header(content: bytes) -> tuple[float, int | None, list[_Signal], str]:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise FormatError("WFDB header: not a text file") from None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    comments = "\n".join(line for line in lines if line.startswith("#"))
    lines = [line for line in lines if not line.startswith("#")]
    try:
        first = lines[0].split()
        count = int(first[1])
        if len(first) < 3:
            raise FormatError("WFDB header: the sampling rate is not stated")
        rate = float(first[2].split("/")[0].split("(")[0])
        samples = int(first[3]) if len(first) > 3 else None
        signals = [_signal(line) for line in lines[1 : count + 1]]
        if len(signals) != count or count == 0:
            raise ValueError("fewer channels than announced")
    except (IndexError, ValueError, ZeroDivisionError) as error:
        raise FormatError(f"WFDB header: damaged or not a WFDB header ({error})") from None
    return rate, samples, signals, comments


def _signal(line: str) -> _Signal:
    fields = line.split()
    gain_text = fields[2].split("/")[0] if len(fields) > 2 else "200"
    zero = float(fields[4]) if len(fields) > 4 else 0.0
    if "(" in gain_text:
        gain_text, rest = gain_text.split("(")
        zero = float(rest.rstrip(")"))
    gain = float(gain_text) or 200.0
    return _Signal(fields[0], int(fields[1].split("x")[0].split(":")[0]), gain, zero, " ".join(fields[8:]))


def _samples(content: bytes, format_: int, channels: int, announced: int | None, name: str) -> NDArray[np.int64]:
    if format_ == 16:
        usable = len(content) // (2 * channels) * 2 * channels
        flat = np.frombuffer(content[:usable], dtype="<i2").astype(np.int64)
    elif format_ == 80:
        flat = np.frombuffer(content, dtype=np.uint8).astype(np.int64) - 128
    elif format_ == 212:
        usable = len(content) // 3 * 3
        raw = np.frombuffer(content[:usable], dtype=np.uint8).astype(np.int64).reshape(-1, 3)
        pairs = np.column_stack([raw[:, 0] + ((raw[:, 1] & 0x0F) << 8), raw[:, 2] + ((raw[:, 1] & 0xF0) << 4)])
        flat = np.where(pairs > 2047, pairs - 4096, pairs).ravel()
    else:
        raise FormatError(f"{name}: WFDB format {format_} is not supported (16, 80 and 212 are)")
    frames = flat[: len(flat) // channels * channels].reshape(-1, channels)
    if announced is not None and len(frames) < announced:
        raise FormatError(f"{name}: truncated, {len(frames)} of {announced} samples are there")
    return frames[:announced] if announced is not None else frames


def read_csv(content: bytes, sampling_rate_hz: float | None = None) -> CtgRecording:
    """Read a CSV with a column FHR (bpm; 0 or empty = lost) and, if present, UC.

    The sampling rate is taken from the argument, from a leading comment such as ``# sampling_rate_hz: 4``
    or from an evenly spaced column of seconds.
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
    rows = list(csv.reader(io.StringIO("\n".join(body)), delimiter=delimiter))
    header = [name.strip() for name in rows[0]]
    unknown = [
        name for name in header if not any(p.match(name) for p in (_FHR, _TOCO, _TIME)) and name.lower() != "mhr"
    ]
    if unknown:
        raise FormatError(f"CSV: unknown column {unknown[0]!r}; known are time, FHR, UC and MHR")
    columns = {kind: _column(rows, header, pattern) for kind, pattern in (("fhr", _FHR), ("uc", _TOCO), ("t", _TIME))}
    if columns["fhr"] is None:
        raise FormatError("CSV: no column FHR")
    stated = next((float(m.group(1)) for line in comments if (m := _RATE.search(line))), None)
    rate = sampling_rate_hz or stated or _rate_of(columns["t"])
    if rate is None:
        raise FormatError("CSV: the sampling rate is not stated; give it in Hz, or add a column of seconds")
    return recording(columns["fhr"], columns["uc"], rate, "CSV")


def _column(rows: list[list[str]], header: list[str], pattern: re.Pattern[str]) -> Array | None:
    position = next((i for i, name in enumerate(header) if pattern.match(name)), None)
    if position is None:
        return None
    values = np.full(len(rows) - 1, np.nan)
    for number, row in enumerate(rows[1:]):
        cell = row[position].strip() if position < len(row) else ""
        try:
            values[number] = float(cell.replace(",", ".")) if cell else np.nan
        except ValueError:
            raise FormatError(f"CSV: line {number + 2}, column {header[position]}: {cell!r} is not a number") from None
    return values


def _rate_of(seconds: Array | None) -> float | None:
    if seconds is None or len(seconds) < 3:
        return None
    steps = np.diff(seconds)
    step = float(np.median(steps))
    if not np.isfinite(steps).all() or step <= 0 or np.max(np.abs(steps - step)) > 0.1 * step:
        raise FormatError("CSV: the time column is not evenly spaced seconds; state the sampling rate")
    return 1.0 / step
