"""WFDB records: header and signal file.

https://physionet.org/physiotools/wag/header-5.htm and signal-5.htm. Formats 16 (little-endian int16), 80 (offset
binary) and 212 (12-bit pairs), single segment, one signal file. First values and checksums in the header are checked.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.ctg.formats.channels import Channels, channel_of
from models.errors import FormatError

Array = NDArray[np.float64]
Digital = NDArray[np.int64]
INVALID = {16: -(2**15), 80: -(2**7), 212: -(2**11)}


@dataclass(frozen=True)
class _Signal:
    file: str
    format: int
    gain: float
    zero: float
    first: int | None
    checksum: int | None
    name: str


def read(header: bytes, files: Mapping[str, bytes]) -> Channels:
    """Read a record with a channel named FHR (or FHR1, FHR2) and, if present, UC and MHR.

    Raises
    ------
    FormatError
        Header and signal file are damaged, disagree, or are of a kind that is not read.
    """
    rate, samples, signals, comments = _header(header)
    named = {channel_of(signal.name): index for index, signal in reversed(list(enumerate(signals)))}
    if not {"fhr1", "fhr2"} & set(named):
        names = ", ".join(signal.name for signal in signals) or "none"
        raise FormatError(f"WFDB header: no channel named FHR (found: {names})")
    name = signals[0].file
    if len({(s.file, s.format) for s in signals}) != 1:
        raise FormatError("WFDB: all channels must be in one file of one format")
    if name not in files:
        raise FormatError(f"WFDB header names {name}, which was not uploaded; send both files")
    digital = _samples(files[name], signals[0].format, len(signals), samples, name)
    _verify(signals, digital, name)

    def physical(channel: str) -> Array | None:
        if channel not in named:
            return None
        index = named[channel]
        values = digital[:, index].astype(np.float64)
        values[digital[:, index] == INVALID[signals[index].format]] = np.nan
        return np.asarray((values - signals[index].zero) / signals[index].gain)

    heart = {number: values for number in (1, 2) if (values := physical(f"fhr{number}")) is not None}
    stage = "labour" if "Pos. II.st" in comments or "Deliv. type" in comments else "unknown"
    return Channels(heart, rate, "WFDB", physical("toco"), physical("mhr"), stage)


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
        if "/" in first[0]:
            raise FormatError("WFDB header: records of several segments are not read")
        count = int(first[1])
        if len(first) < 3:
            raise FormatError("WFDB header: the sampling rate is not stated")
        rate = float(first[2].split("/")[0].split("(")[0])
        samples = int(first[3]) if len(first) > 3 else None
        signals = [_signal(line) for line in lines[1 : count + 1]]
        if len(signals) != count or count <= 0:
            raise ValueError("fewer channels than announced")
    except (IndexError, ValueError, OverflowError) as error:
        raise FormatError(f"WFDB header: damaged or not a WFDB header ({error})") from None
    if samples is not None and samples < 0:
        raise FormatError(f"WFDB header: {samples} samples are announced")
    return rate, samples or None, signals, comments


def _signal(line: str) -> _Signal:
    """``file format gain(baseline)/units resolution zero first checksum block description``."""
    fields = line.split()
    if not fields[1].isdigit():
        raise FormatError(f"WFDB header: format {fields[1]!r} (several samples a frame, skew or offset) is not read")
    gain_text = fields[2].split("/")[0] if len(fields) > 2 else "0"
    zero = float(fields[4]) if len(fields) > 4 else 0.0
    if "(" in gain_text:
        gain_text, rest = gain_text.split("(")
        zero = float(rest.rstrip(")"))
    gain = float(gain_text)
    name = " ".join(fields[8:])
    if gain == 0 or not np.isfinite([gain, zero]).all():
        raise FormatError(f"WFDB header: channel {name or '?'} has no gain (0 or not stated), so its unit is unknown")
    first, checksum = (int(fields[i]) if len(fields) > i else None for i in (5, 6))
    return _Signal(fields[0], int(fields[1]), gain, zero, first, checksum, name)


def _samples(content: bytes, format_: int, channels: int, announced: int | None, name: str) -> Digital:
    if format_ == 16:
        flat = np.frombuffer(content[: len(content) // 2 * 2], dtype="<i2").astype(np.int64)
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
    # Format 212 pads an odd number of values with one more. Any further value belongs to another record.
    if announced is not None and len(frames) > announced + 1:
        raise FormatError(f"{name}: {len(frames)} samples, where the header announces {announced}")
    return frames[:announced]


def _verify(signals: list[_Signal], digital: Digital, name: str) -> None:
    """Compare first value and 16-bit checksum of each channel with the header, if it states them."""
    for index, signal in enumerate(signals):
        column = digital[:, index]
        if signal.first is not None and len(column) and column[0] != signal.first:
            raise FormatError(
                f"{name}: channel {signal.name} begins with {column[0]}, where the header says {signal.first}: "
                "header and data do not belong together"
            )
        if signal.checksum is not None and (int(column.sum()) - signal.checksum) % 65536:
            raise FormatError(f"{name}: channel {signal.name} does not have the header's checksum: the file is damaged")
