"""UCI Cardiotocography (SisPorto features of 10-minute segments, expert NSP label).

Campos D, Bernardes J. Cardiotocography. UCI Machine Learning Repository 2000, doi:10.24432/C51S4N.
CC BY 4.0.

Rows are overlapping segments of examinations, and several examinations belong to one woman: split by
`woman`, never by row. The woman's key is *inferred* from the file name; the authors publish none.
`CLASS` and the ten pattern flags determine the label and are never read as features.
"""

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.ctg.features import FEATURE_NAMES, UCI_COLUMNS, UCI_COUNTS
from models.errors import DataSetError

WORKBOOK = "CTG.xls"
RAW_TABLE = "ctg_raw_data.csv"
FLAT_TABLE = "fetal_health_rebuilt.csv"


@dataclass(frozen=True)
class CtgTable:
    """Canonical rows of the data set.

    Attributes
    ----------
    features : ndarray of float64, shape (n, 21)
        Columns in the order of `models.ctg.features.FEATURE_NAMES`; event counts as rates per second.
    state : ndarray of int64, shape (n,)
        0 normal, 1 suspect, 2 pathological.
    woman : ndarray of str, shape (n,)
        Grouping key inferred from the file name.
    examination : ndarray of str, shape (n,)
        File name of the examination.
    family : ndarray of str, shape (n,)
        ``"S"`` for names like ``S0001090_1.dat``, ``"letters"`` for names like ``Mmbms_1.txt``.
    """

    features: NDArray[np.float64]
    state: NDArray[np.int64]
    woman: NDArray[np.str_]
    examination: NDArray[np.str_]
    family: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.state)

    def rows(self, index: NDArray[np.int64]) -> "CtgTable":
        """The given rows."""
        return CtgTable(
            self.features[index], self.state[index], self.woman[index], self.examination[index], self.family[index]
        )


def woman_of(file_name: str) -> str:
    """Infer a woman's code: the examination's file name without its visit number."""
    stem = re.sub(r"\.(txt|dat)$", "", file_name.strip(), flags=re.IGNORECASE)
    if re.match(r"^S\d+", stem):
        return re.sub(r"_\d+$", "", stem)
    return re.sub(r"_?\d+$", "", stem)


def find(folder: Path) -> Path | None:
    """The folder with the workbook or the raw table at or below `folder`, or None."""
    for name in (WORKBOOK, RAW_TABLE):
        for path in sorted(folder.rglob(name)):
            return path.parent
    return None


def input_files(folder: Path) -> list[Path]:
    """Every form of the table that is there: they hold the same rows, whichever of them is read."""
    return [path for name in (WORKBOOK, RAW_TABLE, FLAT_TABLE) if (path := folder / name).exists()]


def read(folder: Path) -> CtgTable:
    """Read the workbook if it is there, else the CSV form of its sheet *Raw Data*.

    Raises
    ------
    DataSetError
        Neither file is present, a column is missing, or a cell is not a number.
    """
    if (folder / WORKBOOK).exists():
        return _table(_read_workbook(folder / WORKBOOK), WORKBOOK)
    if (folder / RAW_TABLE).exists():
        with (folder / RAW_TABLE).open(newline="", encoding="utf-8-sig") as handle:
            return _table(list(csv.DictReader(handle)), RAW_TABLE)
    raise DataSetError(f"{folder}: neither {WORKBOOK} nor {RAW_TABLE} is here")


def read_flat(path: Path) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Read the widely used ``fetal_health.csv`` layout: features and state, *without* a grouping key.

    Raises
    ------
    DataSetError
        The header or a cell differs from that layout.
    """
    with path.open(newline="", encoding="utf-8-sig") as handle:
        rows = list(csv.reader(handle))
    if not rows or len(rows[0]) != len(FEATURE_NAMES) + 1 or rows[0][0] != "baseline value":
        raise DataSetError(f"{path.name}: expected 21 feature columns from 'baseline value' on and 'fetal_health'")
    try:
        values = np.array(rows[1:], dtype=np.float64)
    except ValueError as error:
        raise DataSetError(f"{path.name}: {error}") from None
    return values[:, :-1], values[:, -1].astype(np.int64) - 1


def _read_workbook(path: Path) -> list[dict[str, Any]]:
    import xlrd

    try:
        sheet = xlrd.open_workbook(path).sheet_by_name("Raw Data")
    except (xlrd.XLRDError, OSError, AssertionError, ValueError, IndexError) as error:
        raise DataSetError(f"{path.name}: not the official workbook ({error})") from None
    header = [str(cell).strip() for cell in sheet.row_values(0)]
    rows = (dict(zip(header, sheet.row_values(i), strict=True)) for i in range(1, sheet.nrows))
    return [row for row in rows if str(row.get("FileName", "")).strip()]


def _table(rows: list[dict[str, Any]], source: str) -> CtgTable:
    rows = [row for row in rows if str(row.get("NSP", "")).strip()]
    if not rows:
        raise DataSetError(f"{source}: no rows with a label NSP")
    try:
        duration = np.array([float(row["e"]) - float(row["b"]) for row in rows])
        if np.any(duration <= 0):
            raise DataSetError(f"{source}: a segment ends before it begins (row {int(np.argmin(duration)) + 1})")
        columns = []
        for name in FEATURE_NAMES:
            column = UCI_COLUMNS[name]
            values = np.array([float(row[column]) for row in rows])
            columns.append(values / duration if column in UCI_COUNTS else values)
        state = np.array([int(float(row["NSP"])) for row in rows]) - 1
        examination = np.array([str(row["FileName"]).strip() for row in rows])
    except KeyError as error:
        raise DataSetError(f"{source}: column {error} is missing") from None
    except (ValueError, TypeError) as error:
        raise DataSetError(f"{source}: a cell is not a number ({error})") from None
    if not set(np.unique(state)) <= {0, 1, 2}:
        raise DataSetError(f"{source}: NSP must be 1, 2 or 3")
    woman = np.array([woman_of(name) for name in examination])
    family = np.array(["S" if re.match(r"^S\d+", name) else "letters" for name in examination])
    return CtgTable(np.column_stack(columns), state, woman, examination, family)
