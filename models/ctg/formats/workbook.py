"""Traces in an Excel workbook (.xlsx): the first sheet with a column of the fetal heart rate."""

import io
import warnings
import zipfile
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

from models.ctg.formats.channels import Channels
from models.ctg.formats.table import MAX_COLUMNS, Row, from_rows, has_labels
from models.errors import FormatError

# A workbook is a zip: what it unpacks to is checked before it is read.
MAX_UNPACKED_BYTES = 100 * 2**20
MAX_ROWS = 150_000  # ten hours at 4 Hz; a sheet takes ten times as long as a text


def read(content: bytes, sampling_rate_hz: float | None = None, columns: Mapping[str, str] | None = None) -> Channels:
    """Read a sheet as `models.ctg.formats.table.read` reads a text.

    Raises
    ------
    FormatError
        Not a workbook, one that unpacks to too much, or as for a table.
    """
    from openpyxl import load_workbook

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_UNPACKED_BYTES:
                raise FormatError("XLSX: the workbook unpacks to more than 100 MB")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
            sheets = [(sheet.title, _rows(sheet)) for sheet in book.worksheets]
    except FormatError:
        raise
    except Exception as error:  # the library raises many kinds for a damaged file
        raise FormatError(f"XLSX: not a readable workbook ({type(error).__name__})") from None
    filled = [(title, rows) for title, rows in sheets if rows]
    if not filled:
        raise FormatError("XLSX: the workbook is empty")
    title, rows = next(((t, r) for t, r in filled if has_labels(r, columns or {})), filled[0])
    channels = from_rows(rows, [], sampling_rate_hz, columns, "XLSX", comma=True)
    others = [other for other, _ in filled if other != title]
    return channels.noting(f"sheets not used: {', '.join(others)}"[:200]) if others else channels


def _rows(sheet: Any) -> list[Row]:
    rows: list[Row] = []
    for number, values in enumerate(sheet.iter_rows(values_only=True), start=1):
        if number > MAX_ROWS:
            raise FormatError(f"XLSX: more than {MAX_ROWS:,} rows; send a CSV")
        if len(values) > MAX_COLUMNS and any(value is not None for value in values[MAX_COLUMNS:]):
            raise FormatError(f"XLSX: row {number} has {len(values)} columns; at most {MAX_COLUMNS} are read")
        cells = [_text(value) for value in values[:MAX_COLUMNS]]
        if any(cells):
            rows.append((number, cells))
    return rows


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)
