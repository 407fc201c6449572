"""The form in which a trace is stored: the channels alone, as they were read, without anything else of the file.

Names, comments, annotations and dates of the original stay behind; its hash is kept beside it. Numbers are kept to the
last bit, so that a stored trace gives the same answer.
"""

import io
from typing import Any
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

import numpy as np

from models.ctg.formats.channels import Channels
from models.ctg.recording import CtgRecording
from models.errors import FormatError

ENDING = "trace"
_CHANNELS = ("fhr1", "fhr2", "toco", "mhr")


def write(recordings: tuple[CtgRecording, ...]) -> bytes:
    """All channels of a recording as one compressed archive of arrays."""
    first = recordings[0]
    arrays: dict[str, Any] = {f"fhr{recording.channel}": recording.fhr_bpm for recording in recordings}
    for name, values in (("toco", first.toco), ("mhr", first.mhr_bpm)):
        if values is not None:
            arrays[name] = values
    stream = io.BytesIO()
    arrays |= {"source": first.source, "stage": first.stage, "rate": first.sampling_rate_hz}
    with ZipFile(stream, "w", ZIP_DEFLATED, compresslevel=1) as archive:  # as numpy does, in half the time
        for name, values in arrays.items():
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, np.asanyarray(values), allow_pickle=False)
    return stream.getvalue()


def read(content: bytes) -> Channels:
    """Read what `write` gave.

    Raises
    ------
    FormatError
        It is damaged.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in _CHANNELS if name in archive}
            rate, source, stage = float(archive["rate"]), str(archive["source"]), str(archive["stage"])
    except (BadZipFile, OSError, KeyError, ValueError) as error:
        raise FormatError(f"stored trace: damaged ({type(error).__name__})") from None
    heart = {number: arrays[f"fhr{number}"] for number in (1, 2) if f"fhr{number}" in arrays}
    return Channels(heart, rate, source, arrays.get("toco"), arrays.get("mhr"), stage)
