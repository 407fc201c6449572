"""What one site reads: its own rows of a data set in the official layout, and nothing else.

A site's folder holds ``site.json``: name, modality, the data set's folder, and the groups (women, records,
examinations) that stand there.
"""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from federated.sites.partition import head_strata
from federated.trees.tasks import measured
from models.bundle import file_hash
from models.ctg.acidaemia import MILD, SEVERE, low_ph
from models.datasets import ctu_uhb, hc18, uci_ctg
from models.errors import DataSetError
from models.growth.birth_weight import birth_weight_z
from models.representation.examples import Modality as SharedModality
from models.synthetic.datasets import is_synthetic

Modality = Literal["ctg", "acidaemia", "ultrasound"]
LABELS: dict[Modality, str] = {"ctg": "ctg-hospital", "acidaemia": "labour-ward", "ultrasound": "scan-hospital"}
# What each kind of hospital brings to a shared representation.
MODALITY_OF: dict[str, SharedModality] = {"ctg": "table", "acidaemia": "trace", "ultrasound": "scan"}
SITES_VARIABLE = "FETAL_HEALTH_SITES"
LAYOUTS: dict[Modality, tuple[str, Callable[[Path], Path | None]]] = {
    "ctg": ("UCI cardiotocography", uci_ctg.find),
    "acidaemia": ("CTU-UHB", ctu_uhb.find),
    "ultrasound": ("HC18", hc18.find),
}


@dataclass(frozen=True)
class Site:
    """One hospital, or one department of it.

    Attributes
    ----------
    name : str
    modality : {"ctg", "acidaemia", "ultrasound"}
        What it trains: the pattern model, the acidaemia model, the segmenter.
    data : str
        Folder of the data set.
    groups : list of str
        Women (CTG tables), records (labour traces) or examinations (ultrasound).
    rows : int
    strata : list of int
        Rows of each class: state, how low the pH is, size of the head.
    bundle : str
        Folder of the bundle in service, whose segmenter measures heads for a shared representation.
    """

    name: str
    modality: Modality
    data: str
    groups: list[str]
    rows: int
    strata: list[int]
    bundle: str = ""


def keep(site: Site, folder: Path) -> None:
    """Write a site's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "site.json").write_text(json.dumps(asdict(site)), encoding="utf-8")


def mine(partition: int) -> Site:
    """The site of this node."""
    folder = Path(os.environ[SITES_VARIABLE]) / str(partition)
    return Site(**json.loads((folder / "site.json").read_text(encoding="utf-8")))


def find(modality: Modality, data: Path) -> Path:
    """The folder of a modality's data set.

    Raises
    ------
    DataSetError
        It is not below `data`.
    """
    name, look = LAYOUTS[modality]
    found = look(data)
    if found is None:
        raise DataSetError(f"{data}: no {name} data set below this folder; see `fetal-health data fetch`")
    return found.resolve()


def groups_of(modality: Modality, where: Path) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
    """Group (woman, record, examination) and stratum of each row of a data set, shape (n,)."""
    if modality == "ctg":
        table = read_ctg(str(where))
        return table.woman, table.state
    if modality == "acidaemia":
        births = read_births(str(where))
        return births.names, births.labels
    records = read_heads(str(where))
    return np.array([record.examination for record in records]), head_strata(records)


def whole(name: str, modality: Modality, data: Path) -> Site:
    """A site that holds everything in its data folder; raises as `find`."""
    where = find(modality, data)
    groups, strata = groups_of(modality, where)
    return Site(name, modality, str(where), sorted(set(groups.tolist())), len(groups), np.bincount(strata).tolist())


@lru_cache(maxsize=2)
def read_ctg(folder: str) -> uci_ctg.CtgTable:
    """The whole table, read once a process."""
    return uci_ctg.read(Path(folder))


@dataclass(frozen=True)
class Births:
    """Labour records, measured.

    Attributes
    ----------
    names : ndarray of str, shape (n,)
    ph : ndarray of float64, shape (n,)
    features : ndarray of float64, shape (n, 75)
    birth_z : ndarray of float64, shape (n,)
        Of the birth weight for the age; NaN where it is not known.
    """

    names: NDArray[np.str_]
    ph: NDArray[np.float64]
    features: NDArray[np.float64]
    birth_z: NDArray[np.float64]

    @classmethod
    def of(cls, records: list[ctu_uhb.BirthRecord], features: NDArray[np.float64]) -> "Births":
        """Records with what was measured on them."""
        weight = np.array([one.birth_weight_g for one in records])
        weeks = np.array([one.completed_weeks for one in records])
        names, ph = np.array([one.name for one in records]), np.array([one.ph for one in records])
        return cls(names, ph, features, birth_weight_z(weight, weeks))

    @property
    def labels(self) -> NDArray[np.int64]:
        """0, 1 for a pH at or below 7.15, 2 for one below 7.05."""
        return low_ph(self.ph, MILD.threshold) + low_ph(self.ph, SEVERE.threshold)

    def rows(self, index: NDArray[np.int64]) -> "Births":
        """The given records."""
        return Births(self.names[index], self.ph[index], self.features[index], self.birth_z[index])


@lru_cache(maxsize=2)
def read_births(where: str) -> Births:
    """All labour records, read and measured once a process."""
    records = ctu_uhb.read(Path(where))
    return Births.of(records, measured(records))


@lru_cache(maxsize=1)
def read_heads(folder: str) -> list[hc18.HeadImage]:
    """All images, read once a process."""
    return hc18.read(Path(folder))


def ctg_rows(site: Site) -> uci_ctg.CtgTable:
    """The site's own rows."""
    table = read_ctg(site.data)
    return table.rows(np.flatnonzero(np.isin(table.woman, site.groups)))


def birth_rows(site: Site) -> Births:
    """The site's own records."""
    births = read_births(site.data)
    return births.rows(np.flatnonzero(np.isin(births.names, site.groups)))


def head_rows(site: Site) -> list[hc18.HeadImage]:
    """The site's own images."""
    groups = set(site.groups)
    return [record for record in read_heads(site.data) if record.examination in groups]


def provenance(sites: list[Site]) -> list[dict[str, object]]:
    """For the manifest: each data set with the hashes of the files it was read from."""
    entries: list[dict[str, object]] = []
    known = {
        "ctg": ("UCI Cardiotocography", "CC BY 4.0", "doi:10.24432/C51S4N", uci_ctg.input_files),
        "acidaemia": ("CTU-UHB", ctu_uhb.LICENCE, "doi:10.13026/C22013", ctu_uhb.input_files),
        "ultrasound": ("HC18", "CC BY 4.0", "doi:10.5281/zenodo.1327317", hc18.input_files),
    }
    for modality, (name, licence, citation, input_files) in known.items():
        held = [site for site in sites if site.modality == modality]
        if not held:
            continue
        folder = Path(held[0].data)
        synthetic = is_synthetic(folder)
        hashed = [{"name": path.name, "sha256": file_hash(path)} for path in input_files(folder)]
        entries.append(
            {
                "name": f"synthetic, in the layout of {name}" if synthetic else name,
                "modality": modality,
                "licence": "none needed" if synthetic else licence,
                "citation": "generated" if synthetic else citation,
                "rows": sum(site.rows for site in held),
                "groups": sum(len(site.groups) for site in held),
                "files": hashed,
            }
        )
    return entries
