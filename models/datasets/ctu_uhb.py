"""CTU-UHB intrapartum cardiotocograms with umbilical-artery pH, one record a woman as far as known.

Chudáček V et al. Open access intrapartum CTG database. BMC Pregnancy Childbirth 2014;14:16,
doi:10.13026/C22013. PhysioNet states ODC-By 1.0; the authors' header asks for non-commercial use and citation.
Selected for signal quality, term, one hospital: no population. Nine obstetricians read the records (Hruban L
et al. J Eval Clin Pract 2015;21:694-702); that file carries no licence: for evaluation only, never training.
"""

import csv
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.ctg import formats
from models.ctg.recording import CtgRecording
from models.errors import DataSetError, InputError

FOLDER = "ctu-uhb-ctgdb"
LICENCE = "non-commercial research unless the source terms are confirmed (ODC-By 1.0 as PhysioNet states)"
EXPERTS = "expert_annotations.csv"
_FIELD = re.compile(r"^#\s*([A-Za-z][A-Za-z0-9 ./()_-]*?)\s+(-?[0-9.]+|NaN)\s*$", re.MULTILINE)
_RECORD = re.compile(r"(?:^|/)(\d{4})\.hea$")


@dataclass(frozen=True)
class BirthRecord:
    """One labour trace that ends at birth.

    Attributes
    ----------
    name : str
        Record id, e.g. ``"1001"``.
    recording : CtgRecording
    ph : float
        Of the umbilical artery.
    second_stage_s : float or None
        Start of the second stage from the start of the trace, s; None when there is none.
    birth_weight_g, completed_weeks, parity, maternal_age, delivery : float
        NaN where the record does not state them. `delivery` is 1 for a vaginal birth and 2 for a caesarean section.
        Sex is not read: its coding is doubtful.
    """

    name: str
    recording: CtgRecording
    ph: float
    second_stage_s: float | None
    birth_weight_g: float = float("nan")
    completed_weeks: float = float("nan")
    parity: float = float("nan")
    maternal_age: float = float("nan")
    delivery: float = float("nan")


@dataclass(frozen=True)
class ExpertReading:
    """One obstetrician's reading: 1 normal, 2 suspicious, 3 pathological (FIGO), -1 not interpretable.

    Attributes
    ----------
    record : str
    expert : int
    windows : tuple of int
        The two 30-min windows before the end of the first stage, then the second stage.
    """

    record: str
    expert: int
    windows: tuple[int, int, int]


def find(folder: Path) -> Path | None:
    """The zip, or the folder with ``NNNN.hea`` files, at or below `folder`; None when there is neither."""
    for path in sorted(folder.rglob(f"{FOLDER}*.zip")):
        return path
    for path in sorted(folder.rglob("*.hea")):
        if _RECORD.search(path.name):
            return path.parent
    return None


def input_files(where: Path) -> list[Path]:
    """What was read: the zip, or every header and signal file."""
    if where.is_file():
        return [where]
    return sorted(path for path in where.iterdir() if path.suffix in {".hea", ".dat"})


def contents(where: Path) -> Iterator[tuple[str, bytes, bytes]]:
    """Name, header and signals of each record, in order of name."""
    if where.is_file():
        try:
            with zipfile.ZipFile(where) as archive:
                headers = sorted(name for name in archive.namelist() if _RECORD.search(name))
                for name in headers:
                    yield _name(name), archive.read(name), archive.read(name[:-4] + ".dat")
        except (zipfile.BadZipFile, KeyError, OSError) as error:
            raise DataSetError(f"{where.name}: damaged archive ({error})") from None
        return
    for path in sorted(where.glob("*.hea")):
        if _RECORD.search(path.name):
            try:
                yield path.stem, path.read_bytes(), path.with_suffix(".dat").read_bytes()
            except OSError as error:
                raise DataSetError(f"{path.name}: {error.strerror}") from None


def _name(path: str) -> str:
    match = _RECORD.search(path)
    assert match is not None
    return match.group(1)


def read(where: Path) -> list[BirthRecord]:
    """Every record that states a pH.

    Raises
    ------
    DataSetError
        A record is damaged, or none is there.
    """
    records = []
    for name, header, signals in contents(where):
        try:
            recording = formats.read({f"{name}.hea": header, f"{name}.dat": signals})
        except InputError as error:
            raise DataSetError(f"record {name}: {error}") from None
        fields = {key.strip(): float(value) for key, value in _FIELD.findall(header.decode("utf-8"))}
        if not np.isfinite(ph := fields.get("pH", float("nan"))):
            continue
        start = fields.get("Pos. II.st.", -1.0)
        second = start / recording.sampling_rate_hz if start > 0 else None
        born = (fields.get(key, float("nan")) for key in ("Weight(g)", "Gest. weeks", "Parity", "Age", "Deliv. type"))
        records.append(BirthRecord(name, recording, ph, second, *born))
    if not records:
        raise DataSetError(f"{where}: no record with a pH")
    return records


def experts(where: Path) -> list[ExpertReading]:
    """The readings in ``expert_annotations.csv`` beside the records, repeats kept; empty without that file."""
    path = (where.parent if where.is_file() else where) / EXPERTS
    if not path.exists() and where.is_dir():
        path = where.parent / EXPERTS
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as handle:
        try:
            return [
                ExpertReading(
                    row["rec_id"],
                    int(row["expert_id"]),
                    (int(row["eval_step1"]), int(row["eval_step2"]), int(row["eval_step3"])),
                )
                for row in csv.DictReader(handle)
            ]
        except (KeyError, ValueError) as error:
            raise DataSetError(f"{EXPERTS}: {error}") from None
