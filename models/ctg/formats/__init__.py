"""Readers of raw CTG: WFDB, CSV, JSON, EDF, FHRMA. A file (or WFDB pair) gives one recording per heart-rate channel.

The sampling rate is never guessed: a file that does not state it needs it as an argument.
"""

from collections.abc import Mapping

from models.ctg.formats import edf, fhrma, json_trace, table, wfdb
from models.ctg.formats.channels import Channels
from models.ctg.recording import CtgRecording
from models.errors import FormatError, InputError

KNOWN = "a WFDB pair (.hea and .dat), .csv, .json, .edf, .fhr or .fhrm"


def read_all(files: Mapping[str, bytes], sampling_rate_hz: float | None = None) -> tuple[CtgRecording, ...]:
    """Read every fetal heart-rate channel of uploaded files, by name.

    Parameters
    ----------
    files : mapping of str to bytes
        A ``.hea`` and its ``.dat``, or one file of another kind.
    sampling_rate_hz : float, optional
        For a CSV that does not state it.

    Returns
    -------
    tuple of CtgRecording
        One for each channel with signal: two for twins.

    Raises
    ------
    FormatError
        The files are of no known kind, do not belong together, or are damaged.
    RangeError
        The sampling rate or the length is impossible.
    """
    return _channels(files, sampling_rate_hz).recordings()


def read(files: Mapping[str, bytes], sampling_rate_hz: float | None = None, channel: int | None = None) -> CtgRecording:
    """Read one fetus: the only heart-rate channel with signal, or the chosen channel.

    Raises
    ------
    InputError
        Two channels contain a heart rate and none was chosen, or the chosen channel contains none.
    FormatError, RangeError
        As `read_all`.
    """
    recordings = read_all(files, sampling_rate_hz)
    if channel is None:
        if len(recordings) > 1:
            raise InputError(
                "the file contains two fetal heart rates (twins, or two probes): choose the channel, 1 or 2; each "
                "fetus is assessed separately"
            )
        return recordings[0]
    chosen = next((recording for recording in recordings if recording.channel == channel), None)
    if chosen is None:
        raise InputError(f"the file contains no fetal heart rate on channel {channel}")
    return chosen


def _channels(files: Mapping[str, bytes], sampling_rate_hz: float | None) -> Channels:
    by_ending = {name.rsplit(".", 1)[-1].lower(): name for name in files if "." in name}
    if "hea" in by_ending:
        return wfdb.read(files[by_ending["hea"]], files)
    if "dat" in by_ending:
        raise FormatError(f"{by_ending['dat']}: the header (.hea) of this WFDB record is missing; send both files")
    if "csv" in by_ending:
        return table.read(files[by_ending["csv"]], sampling_rate_hz)
    for ending, reader in (("json", json_trace.read), ("edf", edf.read), ("fhr", fhrma.read), ("fhrm", fhrma.read_mhr)):
        if ending in by_ending:
            return reader(files[by_ending[ending]])
    raise FormatError(f"{', '.join(files) or 'nothing'}: not a CTG file; send {KNOWN}")
