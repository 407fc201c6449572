"""EDF and EDF+ (continuous): European data format (Kemp B, Olivan J. Clin Neurophysiol 2003;114:1755-1761)."""

import io

import numpy as np
from numpy.typing import NDArray

from models.ctg.formats.channels import Channels, channel_of
from models.errors import FormatError

Array = NDArray[np.float64]
_FIXED, _PER_SIGNAL = 256, 256
MAX_SIGNALS = 64


def read(content: bytes) -> Channels:
    """Read signals labelled FHR (or FHR1, FHR2), UC and MHR; slower signals are repeated on the grid of the heart rate.

    Raises
    ------
    FormatError
        Not EDF, discontinuous, truncated, or without a heart rate.
    """
    _check_header(content)
    import edfio

    try:
        file = edfio.read_edf(io.BytesIO(content))
        named = {}
        for signal in reversed(file.signals):
            if channel := channel_of(signal.label):
                named[channel] = (np.asarray(signal.data, dtype=np.float64), float(signal.sampling_frequency))
    except Exception as error:  # the library raises many kinds for a damaged header
        raise FormatError(f"EDF: damaged ({type(error).__name__}: {str(error)[:80]})") from None
    present = [name for name in ("fhr1", "fhr2") if name in named]
    if not present:
        raise FormatError(f"EDF: no signal labelled FHR (found: {', '.join(s.label for s in file.signals)[:80]})")
    heart, rate = named[present[0]]

    def at_heart(channel: str) -> Array | None:
        if channel not in named:
            return None
        values, own = named[channel]
        index = (np.arange(len(heart)) * own / rate).astype(int)
        return np.asarray(values[np.minimum(index, len(values) - 1)])

    by_number = {int(name[-1]): values for name in present if (values := at_heart(name)) is not None}
    return Channels(by_number, rate, "EDF", at_heart("toco"), at_heart("mhr"))


def _check_header(content: bytes) -> None:
    """Check the header fields that determine sizes, before anything is allocated."""
    try:
        head = content[:_FIXED].decode("ascii")
        signals = int(head[252:256])
        records, header = int(head[236:244]), int(head[184:192])
        samples = _FIXED + 216 * signals
        per_record = sum(int(content[samples + 8 * i : samples + 8 * i + 8]) for i in range(signals))
    except (UnicodeDecodeError, ValueError):
        raise FormatError("EDF: not an EDF header") from None
    if not 0 < signals <= MAX_SIGNALS or header != _FIXED + _PER_SIGNAL * signals or per_record <= 0:
        raise FormatError("EDF: the header contradicts itself")
    if head[192:197] == "EDF+D":
        raise FormatError("EDF+: discontinuous recordings are not read; send each part separately")
    if len(content) < header + 2 * per_record * max(records, 0) or records == 0:
        raise FormatError("EDF: truncated, fewer data records than the header announces")
