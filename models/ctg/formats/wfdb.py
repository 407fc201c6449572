"""WFDB records: a header and its signal files.

https://physionet.org/physiotools/wag/header-5.htm and signal-5.htm. All formats of one sample a frame are read; the
signals may stand in several files. First values and checksums in the header are checked.
"""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from models.ctg.formats.channels import Channels, channel_of
from models.errors import FormatError
from models.origin import Origin

Array = NDArray[np.float64]
Digital = NDArray[np.int64]
# Format and the value that stands for a lost sample.
INVALID = {
    8: -(2**7),
    16: -(2**15),
    24: -(2**23),
    32: -(2**31),
    61: -(2**15),
    80: -(2**7),
    160: -(2**15),
    212: -(2**11),
    310: -(2**9),
    311: -(2**9),
    508: -(2**7),
    516: -(2**15),
    524: -(2**23),
}
FLAC = {508: 24, 516: 16, 524: 8}  # bits by which libsndfile shifts samples up to 32
_FORMAT = re.compile(r"^(\d+)(?:\+(\d+))?$")
_TIME = re.compile(r"^(\d{1,2}):(\d{2}):(\d{2}(?:\.\d+)?)$")
_DAY = re.compile(r"^(\d{1,2})/(\d{1,2})/(\d{4})$")


@dataclass(frozen=True)
class _Signal:
    file: str
    format: int
    offset: int
    gain: float
    zero: float
    first: int | None
    checksum: int | None
    name: str


def signal_files(header: bytes) -> list[str]:
    """Names of the signal files of a header; raises as `read`."""
    return list(dict.fromkeys(signal.file for signal in _header(header)[2]))


def read(header: bytes, files: Mapping[str, bytes]) -> Channels:
    """Read a record with a channel named FHR (or FHR1, FHR2) and, if present, UC and MHR.

    Raises
    ------
    FormatError
        Header and signal file are damaged, disagree, or are of a kind that is not read.
    """
    rate, samples, signals, comments, origin = _header(header)
    named = {channel_of(signal.name): index for index, signal in reversed(list(enumerate(signals)))}
    if not {"fhr1", "fhr2"} & set(named):
        names = ", ".join(signal.name for signal in signals) or "none"
        raise FormatError(f"WFDB header: no channel named FHR (found: {names})")
    columns: dict[int, Digital] = {}
    for name in dict.fromkeys(signal.file for signal in signals):
        own = [index for index, signal in enumerate(signals) if signal.file == name]
        if len({(signals[index].format, signals[index].offset) for index in own}) != 1:
            raise FormatError("WFDB: all channels of a file must have one format")
        if name not in files:
            raise FormatError(f"WFDB header names {name}, which was not uploaded; send both files")
        first = signals[own[0]]
        digital = _samples(files[name][first.offset :], first.format, len(own), samples, name)
        _verify([signals[index] for index in own], digital, name)
        columns.update({index: digital[:, position] for position, index in enumerate(own)})
    if len({len(column) for column in columns.values()}) > 1:
        raise FormatError("WFDB: the signal files differ in length")

    def physical(channel: str) -> Array | None:
        if channel not in named:
            return None
        index = named[channel]
        values = columns[index].astype(np.float64)
        values[columns[index] == INVALID[signals[index].format]] = np.nan
        return np.asarray((values - signals[index].zero) / signals[index].gain)

    heart = {number: values for number in (1, 2) if (values := physical(f"fhr{number}")) is not None}
    stage = "labour" if "Pos. II.st" in comments or "Deliv. type" in comments else "unknown"
    others = [signal.name for signal in signals if channel_of(signal.name) is None]
    remarks = (f"not used: {', '.join(others)[:200]}",) if others else ()
    return Channels(heart, rate, "WFDB", physical("toco"), physical("mhr"), stage, origin, remarks)


def _header(content: bytes) -> tuple[float, int | None, list[_Signal], str, Origin]:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    if any(character < " " and character not in "\t\n\r\f" for character in text):
        raise FormatError("WFDB header: not a text file")
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
        origin = Origin(_begun(first[4:6]))
    except (IndexError, ValueError, OverflowError) as error:
        raise FormatError(f"WFDB header: damaged or not a WFDB header ({error})") from None
    if samples is not None and samples < 0:
        raise FormatError(f"WFDB header: {samples} samples are announced")
    return rate, samples or None, signals, comments, origin


def _begun(fields: list[str]) -> datetime | None:
    """Base time and base date of the record line; None unless both are there."""
    if len(fields) < 2:
        return None
    clock, day = _TIME.match(fields[0]), _DAY.match(fields[1])
    if clock is None or day is None:
        return None
    seconds = float(clock[3])
    exact = datetime(int(day[3]), int(day[2]), int(day[1]), int(clock[1]), int(clock[2]), int(seconds))
    return exact.replace(microsecond=round(seconds % 1 * 1e6) % 1_000_000)


def _signal(line: str) -> _Signal:
    """``file format gain(baseline)/units resolution zero first checksum block description``."""
    fields = line.split()
    kind = _FORMAT.match(fields[1])
    if kind is None:
        raise FormatError(f"WFDB header: format {fields[1]!r} (several samples a frame, or skew) is not read")
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
    return _Signal(fields[0], int(kind[1]), int(kind[2] or 0), gain, zero, first, checksum, name)


def _flat(content: bytes, format_: int, name: str) -> Digital:
    """All samples of a file in the order of its frames."""
    if format_ in (16, 61):
        return np.frombuffer(content[: len(content) // 2 * 2], "<i2" if format_ == 16 else ">i2").astype(np.int64)
    if format_ == 32:
        return np.frombuffer(content[: len(content) // 4 * 4], "<i4").astype(np.int64)
    if format_ == 24:
        raw = np.frombuffer(content[: len(content) // 3 * 3], np.uint8).astype(np.int64).reshape(-1, 3)
        return _signed(raw[:, 0] + (raw[:, 1] << 8) + (raw[:, 2] << 16), 24)
    if format_ == 8:  # differences, summed by channel in `_samples`
        return np.frombuffer(content, np.int8).astype(np.int64)
    if format_ == 80:
        return np.frombuffer(content, np.uint8).astype(np.int64) - 128
    if format_ == 160:
        return np.frombuffer(content[: len(content) // 2 * 2], "<u2").astype(np.int64) - 32768
    if format_ == 212:
        raw = np.frombuffer(content[: len(content) // 3 * 3], np.uint8).astype(np.int64).reshape(-1, 3)
        pairs = np.column_stack([raw[:, 0] + ((raw[:, 1] & 0x0F) << 8), raw[:, 2] + ((raw[:, 1] & 0xF0) << 4)])
        return _signed(pairs.ravel(), 12)
    if format_ == 310:
        words = np.frombuffer(content[: len(content) // 4 * 4], "<u2").astype(np.int64).reshape(-1, 2)
        third = ((words[:, 0] & 0xF800) >> 11) + ((words[:, 1] & 0xF800) >> 6)
        triples = np.column_stack([(words[:, 0] >> 1) & 0x3FF, (words[:, 1] >> 1) & 0x3FF, third])
        return _signed(triples.ravel(), 10)
    if format_ == 311:
        words = np.frombuffer(content[: len(content) // 4 * 4], "<u4").astype(np.int64)
        triples = np.column_stack([words & 0x3FF, (words >> 10) & 0x3FF, (words >> 20) & 0x3FF])
        return _signed(triples.ravel(), 10)
    if format_ in FLAC:
        import soundfile

        try:
            with soundfile.SoundFile(io.BytesIO(content)) as sound:
                values = sound.read(dtype="int32", always_2d=True)
        except (soundfile.SoundFileError, RuntimeError) as error:
            raise FormatError(f"{name}: its FLAC stream is damaged ({type(error).__name__})") from None
        shifted: Digital = values.astype(np.int64) >> FLAC[format_]
        return shifted.ravel()
    raise FormatError(f"{name}: WFDB format {format_} is not known; known are {', '.join(map(str, INVALID))}")


def _signed(values: Digital, bits: int) -> Digital:
    return np.where(values >= 1 << (bits - 1), values - (1 << bits), values)


def _samples(content: bytes, format_: int, channels: int, announced: int | None, name: str) -> Digital:
    flat = _flat(content, format_, name)
    frames = flat[: len(flat) // channels * channels].reshape(-1, channels)
    if announced is not None and len(frames) < announced:
        raise FormatError(f"{name}: truncated, {len(frames)} of {announced} samples are there")
    # Packed formats fill their last group up. Any further value belongs to another record.
    if announced is not None and len(frames) > announced + 2:
        raise FormatError(f"{name}: {len(frames)} samples, where the header announces {announced}")
    return frames[:announced]


def _verify(signals: list[_Signal], digital: Digital, name: str) -> None:
    """Compare first value and 16-bit checksum of each channel with the header, if it states them."""
    for index, signal in enumerate(signals):
        if signal.format == 8:  # differences from the first value
            digital[:, index] = (signal.first or 0) + np.cumsum(digital[:, index])
        column = digital[:, index]
        if signal.first is not None and len(column) and column[0] != signal.first:
            raise FormatError(
                f"{name}: channel {signal.name} begins with {column[0]}, where the header says {signal.first}: "
                "header and data do not belong together"
            )
        if signal.checksum is not None and (int(column.sum()) - signal.checksum) % 65536:
            raise FormatError(f"{name}: channel {signal.name} does not have the header's checksum: the file is damaged")
