"""Readers of raw CTG: WFDB, tables (CSV, TSV, TXT, XLSX), JSON and FHIR, EDF and BDF, FHRMA.

One recording comes out for each heart-rate channel. The sampling rate is never guessed: a file that does not state it
needs it as an argument, and a stated rate that contradicts the file is refused. Every file that was sent is used or
refused by name; several files are parts of one trace or refused.
"""

from collections.abc import Callable, Mapping

from models.ctg.formats import edf, fhrma, json_trace, parts, table, wfdb, workbook
from models.ctg.formats.channels import Channels
from models.ctg.formats.timeline import SAME_RATE
from models.ctg.recording import CtgRecording
from models.errors import FormatError, InputError

KNOWN = "a WFDB record (.hea with .dat), .csv, .tsv, .txt, .xlsx, .json, .edf, .bdf, .fhr or .fhrm"
TABLES = ("csv", "tsv", "txt")
_BINARY: dict[str, Callable[[bytes], Channels]] = {
    "json": json_trace.read,
    "edf": edf.read,
    "bdf": edf.read,
    "fhr": fhrma.read,
    "fhrm": fhrma.read_mhr,
}


def read_all(
    files: Mapping[str, bytes], sampling_rate_hz: float | None = None, columns: Mapping[str, str] | None = None
) -> tuple[CtgRecording, ...]:
    """Read every fetal heart-rate channel of uploaded files.

    Parameters
    ----------
    files : mapping of str to bytes
        By name: one recording, or consecutive parts of one.
    sampling_rate_hz : float, optional
        Where the file does not state it.
    columns : mapping of str to str, optional
        What the columns of a table hold, by label (see `models.ctg.formats.table`).

    Returns
    -------
    tuple of CtgRecording
        One for each channel with signal: two for twins.

    Raises
    ------
    FormatError
        A file is of no known kind, not used by any recording, or damaged, or they do not belong together.
    RangeError
        The sampling rate or the length is impossible.
    """
    if not files:
        raise FormatError(f"no CTG file was sent; send {KNOWN}")
    by_file = {}
    for name, group in _recordings(files).items():
        channels = _channels(name, group, sampling_rate_hz, columns)
        if sampling_rate_hz is not None and abs(sampling_rate_hz / channels.sampling_rate_hz - 1) > SAME_RATE:
            raise FormatError(
                f"{name} says {channels.sampling_rate_hz:g} Hz, but {sampling_rate_hz:g} Hz was stated; leave it empty"
            )
        by_file[name] = channels.recordings()
    return parts.join(by_file)


def read(
    files: Mapping[str, bytes],
    sampling_rate_hz: float | None = None,
    channel: int | None = None,
    columns: Mapping[str, str] | None = None,
) -> CtgRecording:
    """Read one fetus: the only heart-rate channel with signal, or the chosen channel.

    Raises
    ------
    InputError
        Two channels contain a heart rate and none was chosen, or the chosen channel contains none.
    FormatError, RangeError
        As `read_all`.
    """
    return chosen(read_all(files, sampling_rate_hz, columns), channel)


def chosen(recordings: tuple[CtgRecording, ...], channel: int | None) -> CtgRecording:
    """The only recording, or that of the chosen channel; raises as `read`."""
    if channel is None:
        if len(recordings) > 1:
            raise InputError(
                "the file contains two fetal heart rates (twins, or two probes): choose the channel, 1 or 2; each "
                "fetus is assessed separately"
            )
        return recordings[0]
    wanted = next((recording for recording in recordings if recording.channel == channel), None)
    if wanted is None:
        raise InputError(f"the file contains no fetal heart rate on channel {channel}")
    return wanted


def ending_of(name: str) -> str:
    """The ending of a file name in small letters; a number that was added to a doubled name is no part of it."""
    plain = name.rpartition(" (")[0] if name.endswith(")") and " (" in name else name
    return plain.rpartition(".")[2].lower() if "." in plain else ""


def _recordings(files: Mapping[str, bytes]) -> dict[str, dict[str, bytes]]:
    """The files of each recording: a WFDB header takes its signal files along, every other file stands alone."""
    groups: dict[str, dict[str, bytes]] = {}
    signals = {name for name in files if ending_of(name) == "dat"}
    for name, content in files.items():
        kind = ending_of(name)
        if kind == "hea":
            own = [signal for signal in wfdb.signal_files(content) if signal in signals]
            groups[name] = {name: content, **{signal: files[signal] for signal in own}}
            signals -= set(own)
        elif kind == "dat":
            continue
        elif kind in TABLES or kind == "xlsx" or kind in _BINARY:
            groups[name] = {name: content}
        else:
            raise FormatError(f"{name}: not a CTG file; send {KNOWN}")
    if signals and not any(ending_of(name) == "hea" for name in files):
        raise FormatError(f"{min(signals)}: the header (.hea) of this WFDB record is missing; send both files")
    if signals:
        raise FormatError(f"{min(signals)} belongs to none of the headers that were sent")
    return groups


def _channels(
    name: str, group: Mapping[str, bytes], sampling_rate_hz: float | None, columns: Mapping[str, str] | None
) -> Channels:
    kind, content = ending_of(name), group[name]
    if columns and kind not in TABLES and kind != "xlsx":
        raise FormatError(f"{name} is no table: it has no columns to map")
    if kind == "hea":
        return wfdb.read(content, group)
    if kind in TABLES:
        return table.read(content, sampling_rate_hz, columns)
    if kind == "xlsx":
        return workbook.read(content, sampling_rate_hz, columns)
    return _BINARY[kind](content)


def column_map(text: str | None) -> dict[str, str]:
    """A column map as people type it: ``FCF:fhr1,tempo:time``.

    Raises
    ------
    InputError
        It is not of this form.
    """
    columns: dict[str, str] = {}
    for part in (text or "").split(","):
        if not part.strip():
            continue
        name, colon, target = part.rpartition(":")
        if not colon or not name.strip() or not target.strip():
            raise InputError(f"column map {part.strip()!r}: write LABEL:what, such as FCF:fhr1,tempo:time")
        columns[name.strip()] = target.strip()
    return columns
