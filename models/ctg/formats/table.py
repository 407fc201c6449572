"""Traces in tables as people export them: CSV and its relatives, XLSX, or one value a line.

A table has a row of labels (`models.ctg.formats.labels`), units perhaps below it, and one row a sample. A column of
times rules: samples are placed by it. What is not used is named in the remarks of the recording.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.ctg.formats.channels import Channels
from models.ctg.formats.labels import BEATS_A_MINUTE, CLOCK_UNITS, KINDS, TIME_UNITS, UNIT_WORDS, Label, label_of, plain
from models.ctg.formats.labels import unit_of as plain_unit
from models.ctg.formats.moments import ambiguous, as_datetime, moment_of
from models.ctg.formats.timeline import evenly, read_times, spread
from models.errors import FormatError
from models.origin import UNKNOWN_ORIGIN, Origin

Array = NDArray[np.float64]
LOST = {
    "", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "-", "--", "---", "----", "?", ".", "*", "lost", "nd",
    "n.d.", "missing", "inf", "-inf",
}  # fmt: skip
# A day at 4 Hz has 345,600 rows.
MAX_COLUMNS, MAX_ROWS, MAX_ABOVE = 64, 400_000, 200
MAX_CELLS, MAX_LINE = 2_500_000, 4096
TARGETS = {"fhr": "fhr1", "uc": "toco", **{kind: kind for kind in KINDS}, "ignore": "ignore"}
_RATE = re.compile(
    r"(?:sampling[ _-]?rate|sample[ _-]?rate|sampling frequency|\bfs\b|\brate\b)\D{0,12}"
    r"([0-9]+(?:[.,][0-9]+)?)(?![.,0-9])"
)
_RATE_ELSEWHERE = re.compile(r"(?:abtast|amostragem|muestreo|echantillonnage)[^0-9]{0,20}([0-9]+(?:[.,][0-9]+)?)")
_START = re.compile(
    r"\b(?:start|beginn?|recorded|recording|date|datum|aufnahme|inicio|debut|fecha|data|time)\b[^0-9]{0,20}([0-9].*)"
)
_DELIMITERS = ("\t", ";", ",", "|")

Row = tuple[int, list[str]]


def read(content: bytes, sampling_rate_hz: float | None = None, columns: Mapping[str, str] | None = None) -> Channels:
    """Read a delimited text with a column of the fetal heart rate (bpm; 0, empty or a word for "missing" = lost).

    Parameters
    ----------
    content : bytes
    sampling_rate_hz : float, optional
        As stated beside the file; it must agree with the file.
    columns : mapping of str to str, optional
        What columns hold, by label: one of fhr1, fhr2, uc, mhr, time, date, index or ignore.

    Raises
    ------
    FormatError
        A column is missing or doubled, a cell is no number, statements contradict each other, or no rate is stated.
    """
    text, sheet_delimiter = _declared(_decoded(_within_limits(content)))
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if sheet_delimiter:  # the declaring line was the first
        lines = [(number + 1, line) for number, line in lines]
    above = [line for _, line in lines if line.lstrip().startswith("#")]
    lines = [(number, line) for number, line in lines if not line.lstrip().startswith("#")]
    if not lines:
        raise FormatError("CSV: there are no rows in this file")
    delimiter = sheet_delimiter or _delimiter(lines, columns or {})
    widest = 1 + max(line.count(delimiter) for _, line in lines[:MAX_ABOVE])
    if widest * len(lines) > MAX_CELLS:
        raise FormatError(f"CSV: more than {MAX_CELLS:,} cells; leave out the columns that are not needed")
    if values := _single(lines):
        return _one_value_a_line(values, above, sampling_rate_hz)
    rows = _split(lines, delimiter)
    del lines, text  # a day of rows is held once, not three times
    return from_rows(rows, above, sampling_rate_hz, columns, "CSV", comma=delimiter != ",")


def _within_limits(content: bytes) -> bytes:
    """The content, if its rows and lines are of a size that a trace can have; checked before anything is split."""
    rows = content.count(b"\n")
    if rows > MAX_ROWS:
        raise FormatError(f"CSV: {rows:,} rows; at most {MAX_ROWS:,} are read (a day at 4 Hz)")
    start = 0
    while start < len(content):
        end = content.find(b"\n", start, start + MAX_LINE)
        if end == -1:
            if len(content) - start >= MAX_LINE:
                raise FormatError(f"CSV: a line has more than {MAX_LINE} bytes, as no line of a trace has")
            break
        start = end + 1
    return content


def _decoded(content: bytes) -> str:
    head = content[:4096]
    try:
        if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return content.decode("utf-16")
        if head[1:2] == b"\0" or head[:1] == b"\0":
            return content.decode("utf-16-le" if head[1:2] == b"\0" else "utf-16-be")
        if b"\0" in content:
            raise FormatError("CSV: not a text file")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    if any(byte < 9 for byte in head):
        raise FormatError("CSV: not a text file")
    return content.decode("cp1252", errors="replace")


def _declared(text: str) -> tuple[str, str]:
    """The text without a first line such as ``sep=;``, and the delimiter that it declares."""
    first, _, rest = text.partition("\n")
    match = re.match(r'^"?sep=(.)"?\s*$', first, re.IGNORECASE)
    return (rest, match.group(1)) if match else (text, "")


def _delimiter(lines: Sequence[tuple[int, str]], columns: Mapping[str, str]) -> str:
    """The delimiter by which some row is a row of labels; else the most frequent one of the first rows."""
    head = [line for _, line in lines[:MAX_ABOVE]]
    for delimiter in _DELIMITERS:
        for line in head:
            if delimiter in line and _is_header(_cells(line, delimiter), columns):
                return delimiter
    counts = {delimiter: sum(line.count(delimiter) for line in head[:20]) for delimiter in _DELIMITERS}
    return max(counts, key=lambda delimiter: counts[delimiter]) if any(counts.values()) else ","


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        return [line]


def _split(lines: Sequence[tuple[int, str]], delimiter: str) -> list[Row]:
    rows = []
    plain_text = not any('"' in line for _, line in lines)
    for number, line in lines:
        cells = line.split(delimiter) if plain_text else _cells(line, delimiter)
        rows.append((number, cells))
        if len(cells) > MAX_COLUMNS and any(cell.strip() for cell in cells[MAX_COLUMNS:]):
            raise FormatError(f"CSV: line {number} has {len(cells)} columns; at most {MAX_COLUMNS} are read")
    return rows


def _single(lines: Sequence[tuple[int, str]]) -> list[float] | None:
    """The values of a file with one number a line and no label; None for any other."""
    values = []
    for _, line in lines:
        cell = line.strip().strip('"')
        if cell.casefold() in LOST:
            values.append(np.nan)
            continue
        try:
            values.append(float(cell.replace(",", ".") if cell.count(",") == 1 else cell))
        except ValueError:
            return None
    return values


def _one_value_a_line(values: Sequence[float], above: Sequence[str], sampling_rate_hz: float | None) -> Channels:
    rate = agreed_rate(above, sampling_rate_hz, "CSV")
    if rate is None:
        raise FormatError("CSV: one value a line and no sampling rate; give it in Hz")
    remark = "a file with one value a line was read as the fetal heart rate"
    return Channels({1: np.array(values)}, rate, "CSV", remarks=(remark,))


def _is_header(cells: Sequence[str], columns: Mapping[str, str]) -> bool:
    named = {cell.strip() for cell in cells}
    if any(target.startswith("fhr") and name in named for name, target in columns.items()):
        return True
    return any(label_of(cell).kind in ("fhr1", "fhr2") for cell in cells)


def has_labels(rows: Sequence[Row], columns: Mapping[str, str]) -> bool:
    """Whether a row of labels is among the first rows."""
    return any(_is_header(cells, columns) for _, cells in rows[:MAX_ABOVE])


@dataclass(frozen=True)
class _Column:
    position: int
    label: Label
    kind: str


def from_rows(
    rows: Sequence[Row],
    above: Sequence[str],
    sampling_rate_hz: float | None,
    columns: Mapping[str, str] | None,
    kind: str,
    *,
    comma: bool,
) -> Channels:
    """Channels of a table that is split into cells.

    Parameters
    ----------
    rows : sequence of (line, cells)
    above : sequence of str
        Comments, which may state the rate and the start.
    comma : bool
        Whether a comma in a number is a decimal comma.
    """
    columns = columns or {}
    header = next((k for k, (_, cells) in enumerate(rows[:MAX_ABOVE]) if _is_header(cells, columns)), None)
    if header is None:
        found = ", ".join(cell.strip()[:30] for cell in rows[0][1][:8] if cell.strip())
        raise FormatError(
            f"{kind}: no column of the fetal heart rate (found: {found}); name it FHR, or map it, such as NAME:fhr1"
        )
    remarks = [f"{header} lines above the labels were not used"] if header else []
    above = [*above, *(" ".join(cells) for _, cells in rows[:header])]
    labels, body = _trimmed(rows[header][1], rows[header + 1 :], kind)
    units, body = _unit_row(labels, body)
    used = _columns(labels, units, columns, kind, remarks)
    if not body:
        raise FormatError(f"{kind}: there are no samples below the labels")
    lines = [line for line, _ in body]
    values = {
        column.kind: _numbers([cells[column.position] for _, cells in body], lines, column, kind, comma)
        for column in used
        if column.kind not in ("time", "date", "index")
    }
    heart = {number: values[f"fhr{number}"] for number in (1, 2) if f"fhr{number}" in values}
    if not heart:
        raise FormatError(f"{kind}: no column of the fetal heart rate")
    rate = agreed_rate(above, sampling_rate_hz, kind)
    origin = _start_of(above)
    place = None
    by_kind = {column.kind: column for column in used}
    if time := by_kind.get("time"):
        day = by_kind.get("date")
        days = [cells[day.position] for _, cells in body] if day else None
        times = read_times([cells[time.position] for _, cells in body], lines, time.label.unit, days, kind)
        remarks += times.remarks if origin.made_at is None or times.origin.made_at is not None else ()
        origin = times.origin if times.origin.made_at is not None else origin
        rate, place = evenly(times.seconds, lines, rate, kind)
    elif index := by_kind.get("index"):
        numbers = _numbers([cells[index.position] for _, cells in body], lines, index, kind, comma)
        if rate is not None and np.isfinite(numbers).all():
            _, place = evenly(numbers / rate, lines, rate, kind)
    if rate is None:
        raise FormatError(f"{kind}: the sampling rate is not stated; give it in Hz, or add a column of times")
    if place is not None:
        missing = (int(place[-1]) + 1 - len(place)) / rate
        if missing:
            remarks.append(f"{missing / 60:.1f} min without rows are lost signal")
        values = {name: spread(numbers, place) for name, numbers in values.items()}
        heart = {number: values[f"fhr{number}"] for number in heart}
    return Channels(heart, rate, kind, values.get("toco"), values.get("mhr"), origin=origin, remarks=tuple(remarks))


def _trimmed(labels: Sequence[str], body: Sequence[Row], kind: str) -> tuple[list[str], list[Row]]:
    """Labels without an empty end, and rows of the same length; cells beyond the labels are refused."""
    count = len(labels)
    while count and not labels[count - 1].strip():
        count -= 1
    if all(len(cells) == count for _, cells in body):
        return list(labels[:count]), list(body)
    rows = []
    for line, cells in body:
        if any(cell.strip() for cell in cells[count:]):
            raise FormatError(
                f"{kind}: line {line} has more cells than there are labels ({len(cells)} and {count}); decimal commas "
                "need another delimiter or quotes"
            )
        rows.append((line, [*cells[:count], *[""] * (count - len(cells))]))
    return list(labels[:count]), rows


def _unit_row(labels: Sequence[str], body: list[Row]) -> tuple[list[str], list[Row]]:
    """Units from a row below the labels, empty where there is none."""
    if body:
        units = [plain_unit(cell).strip("()[] ") for cell in body[0][1]]
        if any(units) and all(unit in UNIT_WORDS for unit in units) and any(u not in LOST for u in units):
            return units, body[1:]
    return [""] * len(labels), body


def _columns(
    labels: Sequence[str], units: Sequence[str], columns: Mapping[str, str], kind: str, remarks: list[str]
) -> list[_Column]:
    """What each used column holds; the others are named in `remarks`."""
    names = [label.strip() for label in labels]
    for name, target in columns.items():
        if name not in names:
            raise FormatError(f"{kind}: there is no column {name!r} to map; there are {', '.join(names)}")
        if target not in TARGETS:
            raise FormatError(f"{kind}: column {name!r} cannot be {target!r}; it is one of {', '.join(TARGETS)}")
    used: dict[str, _Column] = {}
    left_out = []
    for position, name in enumerate(names):
        label = label_of(name)
        if units[position]:
            label = Label(label.name, label.kind, units[position])
        is_mapped = name in columns
        what = TARGETS[columns[name]] if is_mapped else label.kind
        if what is None or what == "ignore":
            left_out.append(name or f"column {position + 1}")
            continue
        _check_unit(label, what, kind)
        if what in used:
            raise FormatError(
                f"{kind}: columns {used[what].label.name!r} and {name!r} both look like {what}; map one to ignore"
            )
        if not is_mapped and what == "fhr1" and plain(label.name) in {"hr", "bpm", "heart rate", "heartrate"}:
            remarks.append(f"column {name!r} was read as the fetal heart rate")
        used[what] = _Column(position, label, what)
    if left_out:
        remarks.append(f"not used: {', '.join(word[:40] for word in left_out[:12])}")
    return list(used.values())


def _check_unit(label: Label, what: str, kind: str) -> None:
    """Refuse a heart rate that is not in beats a minute, and a time in no known unit."""
    if what in ("fhr1", "fhr2", "mhr") and label.unit not in BEATS_A_MINUTE | {"-"}:
        raise FormatError(f"{kind}: column {label.name!r} is in {label.unit}; send beats per minute")
    if what == "time" and label.unit and label.unit not in set(TIME_UNITS) | CLOCK_UNITS | {"-"}:
        raise FormatError(f"{kind}: column {label.name!r}: {label.unit!r} is no unit of time")


def _numbers(cells: Sequence[str], lines: Sequence[int], column: _Column, kind: str, comma: bool) -> Array:
    """Numbers of a column; a word for "missing" is NaN."""
    try:
        return np.array(cells, dtype=np.float64)  # the fast way
    except ValueError:
        pass
    values = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        word = cell.strip()
        if word.casefold() in LOST:
            continue
        try:
            values[row] = float(word.replace(",", ".") if word.count(",") == 1 and "." not in word else word)
        except ValueError:
            name = column.label.name
            raise FormatError(f"{kind}: line {lines[row]}, column {name}: {word[:40]!r} is not a number") from None
    return values


def agreed_rate(above: Sequence[str], stated: float | None, kind: str) -> float | None:
    """The sampling rate of comments and of the call, Hz; None where nobody states it.

    Raises
    ------
    FormatError
        They differ.
    """
    rates = [] if stated is None else [stated]
    for line in above:
        words = plain_unit(line)
        if match := _RATE.search(words.replace("_", " ")) or _RATE_ELSEWHERE.search(words):
            rates.append(float(match.group(1).replace(",", ".")))
    if len(set(rates)) > 1:
        raise FormatError(f"{kind}: {rates[0]:g} Hz was stated, but the file says {rates[1]:g} Hz")
    return rates[0] if rates else None


def _start_of(above: Sequence[str]) -> Origin:
    """The start that a line above the labels states with its date."""
    for line in above:
        match = _START.search(plain_unit(line))
        if not match:
            continue
        text = match.group(1).strip(' ;,|"')
        moment = moment_of(text) or moment_of(text.replace("t", " "))
        if moment is not None and moment.dated and moment.clock and not ambiguous(text):
            return Origin(as_datetime(moment.seconds, moment.zoned))
    return UNKNOWN_ORIGIN
