"""EDF, EDF+ and BDF: European data format (Kemp B, Olivan J. Clin Neurophysiol 2003;114:1755-1761) and its 24-bit form.

EDF+ states when each data record begins. Samples are placed by these times: a gap is lost signal.
"""

import io
import re
from datetime import date, datetime, time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.ctg.formats.channels import Channels, channel_of
from models.ctg.recording import MAX_DURATION_S
from models.errors import FormatError
from models.origin import Identity, Origin, identity

Array = NDArray[np.float64]
_FIXED, _PER_SIGNAL = 256, 256
MAX_SIGNALS = 512
_ONSET = re.compile(rb"^([+-]\d+(?:\.\d*)?)(?:\x15[\d.]*)?\x14")
_ANNOTATIONS = ("EDF Annotations", "BDF Annotations")
# Bytes of a sample.
_BYTES = {"EDF": 2, "BDF": 3}


def read(content: bytes) -> Channels:
    """Read signals labelled FHR (or FHR1, FHR2), UC and MHR; slower signals are repeated on the grid of the heart rate.

    Raises
    ------
    FormatError
        Neither EDF nor BDF, truncated, with data records out of order, or without a heart rate.
    """
    kind = "BDF" if content[:8] == b"\xffBIOSEMI" else "EDF"
    layout = _Layout(content, kind)
    import edfio

    try:
        continuous = io.BytesIO(content[:192] + content[192:236].replace(b"+D", b"+C", 1) + content[236:])
        file: Any = (edfio.read_bdf if kind == "BDF" else edfio.read_edf)(continuous)
        named = {}
        for signal in reversed(file.signals):
            if channel := channel_of(signal.label):
                named[channel] = (np.asarray(signal.data, dtype=np.float64), float(signal.sampling_frequency))
        labels = [signal.label for signal in file.signals]
        origin = Origin(_start(file), _identity(file))
    except Exception as error:  # the library raises many kinds for a damaged header
        raise FormatError(f"{kind}: damaged ({type(error).__name__}: {str(error)[:80]})") from None
    present = [name for name in ("fhr1", "fhr2") if name in named]
    if not present:
        raise FormatError(f"{kind}: no signal labelled FHR (found: {', '.join(labels)[:80]})")
    heart, rate = named[present[0]]

    def at_heart(channel: str) -> Array | None:
        if channel not in named:
            return None
        values, own = named[channel]
        index = (np.arange(len(heart)) * own / rate).astype(int)
        return layout.placed(np.asarray(values[np.minimum(index, len(values) - 1)]), rate)

    by_number = {int(name[-1]): values for name in present if (values := at_heart(name)) is not None}
    others = [label for label in labels if channel_of(label) is None]
    remarks = [f"not used: {', '.join(others)[:200]}"] if others else []
    if layout.gap_s > 0:
        remarks.append(f"{layout.gap_s / 60:.1f} min between the parts are lost signal")
    return Channels(by_number, rate, kind, at_heart("toco"), at_heart("mhr"), origin=origin, remarks=tuple(remarks))


class _Layout:
    """Sizes of the header, checked before anything is allocated, and when each data record begins."""

    def __init__(self, content: bytes, kind: str) -> None:
        try:
            head = content[1:_FIXED].decode("latin-1")
            signals = int(head[251:255])
            self.records, header = int(head[235:243]), int(head[183:191])
            self.record_s = float(head[243:251])
            label, samples = _FIXED, _FIXED + 216 * signals
            if not 0 < signals <= MAX_SIGNALS:
                raise FormatError(f"{kind}: {signals} signals; 1 to {MAX_SIGNALS} are read")
            counts = [int(content[samples + 8 * i : samples + 8 * i + 8]) for i in range(signals)]
            labels = [content[label + 16 * i : label + 16 * i + 16].decode("latin-1").strip() for i in range(signals)]
        except ValueError:
            raise FormatError(f"{kind}: not an EDF header") from None
        if header != _FIXED + _PER_SIGNAL * signals or min(counts) < 0 or sum(counts) <= 0:
            raise FormatError(f"{kind}: the header contradicts itself")
        if self.record_s <= 0:
            raise FormatError(f"{kind}: data records of {self.record_s:g} s; a trace needs a duration")
        size = _BYTES[kind]
        if len(content) < header + size * sum(counts) * max(self.records, 0) or self.records == 0:
            raise FormatError(f"{kind}: truncated, fewer data records than the header announces")
        self.kind = kind
        self.onsets_s = self._onsets(content, header, [count * size for count in counts], labels)

    def _onsets(self, content: bytes, header: int, sizes: list[int], labels: list[str]) -> Array | None:
        """Start of each data record, s; None where the file does not state it."""
        first = next((i for i, label in enumerate(labels) if label in _ANNOTATIONS), None)
        if first is None or self.records < 0:
            return None
        offset, width, step = header + sum(sizes[:first]), sizes[first], sum(sizes)
        onsets = []
        for record in range(self.records):
            match = _ONSET.match(content[offset + record * step : offset + record * step + width])
            if match is None:
                return None
            onsets.append(float(match.group(1)))
        return np.array(onsets)

    @property
    def gap_s(self) -> float:
        """Time between the data records that no record covers, s."""
        if self.onsets_s is None:
            return 0.0
        return float(self.onsets_s[-1] - self.onsets_s[0] - (self.records - 1) * self.record_s)

    def placed(self, values: Array, rate_hz: float) -> Array:
        """Samples at the times of their data records; times without a record are lost samples."""
        if self.onsets_s is None:
            return values
        steps = np.diff(self.onsets_s) - self.record_s
        if (steps < -0.5 / rate_hz).any():
            raise FormatError(f"{self.kind}+: data records overlap or are out of order")
        if self.gap_s < 0.5 / rate_hz:
            return values
        if self.onsets_s[-1] - self.onsets_s[0] > MAX_DURATION_S:
            raise FormatError(f"{self.kind}+: the parts span more than 24 hours; send only the part to be assessed")
        each = len(values) // self.records
        starts = np.rint((self.onsets_s - self.onsets_s[0]) * rate_hz).astype(int)
        grid = np.full(int(starts[-1]) + each, np.nan)
        for record, start in enumerate(starts):
            grid[start : start + each] = values[record * each : (record + 1) * each]
        return grid


def _start(file: Any) -> datetime | None:
    try:
        day, clock = file.startdate, file.starttime
    except Exception:  # an anonymised date
        return None
    if not isinstance(day, date) or not isinstance(clock, time):
        return None
    return datetime.combine(day, clock)


def _identity(file: Any) -> Identity | None:
    """Code and day of birth of EDF+; of plain EDF the whole field, which holds what the recorder liked."""
    field = str(file.local_patient_identification).strip()
    words = field.split()
    if len(words) >= 4 and words[1] in ("F", "M", "X"):
        try:
            born = file.patient.birthdate
        except Exception:
            born = None
        return identity("" if words[0] == "X" else words[0], "EDF", f"{born:%Y%m%d}" if born else "")
    return identity(field, "EDF")
