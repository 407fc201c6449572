"""Windows of a hospital's own traces that a panel of its clinicians has read.

The folder holds ``panel_readings.csv`` and the traces, in any format that the application reads. A line is one reading:

    woman,file,from_min,to_min,reader,reading
    W01,W01.csv,0,30,Dr A,normal

The reading is normal, suspicious, pathological or not interpretable. The window is in minutes of the file.
A window counts when at least three readers could interpret it and one reading is more frequent than any other.
"""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from models.ctg import formats
from models.ctg.grader import READINGS
from models.ctg.recording import CtgRecording
from models.errors import DataSetError, FetalHealthError

FILE = "panel_readings.csv"
COLUMNS = ("woman", "file", "from_min", "to_min", "reader", "reading")
NOT_INTERPRETABLE = "not interpretable"
LEAST_READERS = 3
LEAST_WINDOW_S = 600.0
LICENCE = "stays at the hospital that made the readings"

Key = tuple[str, str, float, float]


@dataclass(frozen=True)
class PanelWindow:
    """A window with the readings of the panel.

    Attributes
    ----------
    woman : str
    recording : CtgRecording
        The window alone.
    readings : tuple of int
        One for each reader who could interpret it: 0 normal, 1 suspicious, 2 pathological.
    """

    woman: str
    recording: CtgRecording
    readings: tuple[int, ...]

    @property
    def majority(self) -> int | None:
        """The most frequent reading of at least three readers; None for a tie, or fewer readers."""
        return majority(self.readings, LEAST_READERS)


def majority(readings: Sequence[int], least: int) -> int | None:
    """The most frequent of at least `least` readings; None for a tie, or fewer."""
    if len(readings) < least:
        return None
    (first, most), *others = Counter(readings).most_common()
    return None if others and others[0][1] == most else first


def find(folder: Path) -> Path | None:
    """The folder with the panel's readings, at or below `folder`; None when there is none."""
    return next((path.parent for path in sorted(folder.rglob(FILE))), None)


def read(folder: Path) -> list[PanelWindow]:
    """Read every window with its trace, in the order of the file.

    Raises
    ------
    DataSetError
        A column or a trace is missing, a line cannot be read, or one reader read a window twice; the message names the
        line.
    """
    readings: dict[Key, dict[str, int | None]] = {}
    line_of: dict[Key, int] = {}
    for line, row in _rows(folder / FILE):
        refuse = partial(_refusal, folder, line)
        key = _key(row, refuse)
        reader = row["reader"].strip()
        if not reader:
            raise refuse("reader is empty")
        by_reader = readings.setdefault(key, {})
        line_of.setdefault(key, line)
        if reader in by_reader:
            raise refuse(f"{reader} has read this window already")
        by_reader[reader] = _reading(row["reading"], refuse)
    windows = []
    recordings: dict[str, CtgRecording] = {}
    for key, by_reader in readings.items():
        woman, file, start_s, end_s = key
        refuse = partial(_refusal, folder, line_of[key])
        if file not in recordings:
            recordings[file] = _recording(folder, file, refuse)
        if end_s > recordings[file].duration_s + 1.0:
            raise refuse(f"{file} ends after {recordings[file].duration_s / 60:.1f} min")
        interpreted = tuple(grade for grade in by_reader.values() if grade is not None)
        windows.append(PanelWindow(woman, recordings[file].part(start_s, end_s), interpreted))
    return windows


def input_files(folder: Path) -> list[Path]:
    """The readings and the traces that they name."""
    named = {row["file"].strip() for _, row in _rows(folder / FILE)}
    return [folder / FILE, *(path for name in sorted(named) for path in _files(folder, name))]


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.DictReader(handle, restval="")
            if lacking := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
                raise DataSetError(f"{path}: column {lacking[0]} is missing; needed are {', '.join(COLUMNS)}")
            for row in reader:
                yield reader.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataSetError(f"{path}: cannot be read ({error})") from None


def _refusal(folder: Path, line: int, why: str) -> DataSetError:
    return DataSetError(f"{folder / FILE}, line {line}: {why}")


Refuse = partial[DataSetError]


def _key(row: dict[str, str], refuse: Refuse) -> Key:
    woman, file = row["woman"].strip(), row["file"].strip()
    if not woman or not file:
        raise refuse("woman and file are needed")
    try:
        start_s, end_s = 60.0 * float(row["from_min"]), 60.0 * float(row["to_min"])
    except ValueError:
        raise refuse("from_min and to_min are minutes from the start of the file") from None
    if not 0.0 <= start_s <= end_s - LEAST_WINDOW_S:
        raise refuse(f"the window must last at least {LEAST_WINDOW_S / 60:.0f} min")
    return woman, file, start_s, end_s


def _reading(word: str, refuse: Refuse) -> int | None:
    plain = word.strip().casefold()
    if plain == NOT_INTERPRETABLE:
        return None
    if plain not in READINGS:
        raise refuse(f"reading {word.strip()!r}: it is {', '.join(READINGS)} or {NOT_INTERPRETABLE}")
    return READINGS.index(plain)


def _files(folder: Path, name: str) -> list[Path]:
    """The named trace, with the other files of a WFDB record."""
    path = folder / name
    return sorted(folder.glob(f"{path.stem}.*")) if path.suffix == ".hea" else [path]


def _recording(folder: Path, name: str, refuse: Refuse) -> CtgRecording:
    if Path(name).name != name:
        raise refuse(f"file {name!r}: give the name of a file in the same folder")
    try:
        return formats.read({path.name: path.read_bytes() for path in _files(folder, name)})
    except OSError:
        raise refuse(f"{name} is not in the folder") from None
    except FetalHealthError as error:
        raise refuse(f"{name}: {error}") from None
