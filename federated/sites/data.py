"""Reading a site's rows: its own groups of a data set in the official layout, and nothing else."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from federated.sites.births import Births, measured_features
from federated.sites.graded import Graded
from federated.sites.partition import head_strata
from federated.sites.site import Modality, Site
from models.datasets import ctu_uhb, hc18, panel, uci_ctg
from models.errors import DataSetError

# Name of each modality's data set, and the function that finds it below a folder.
LAYOUTS: dict[Modality, tuple[str, Callable[[Path], Path | None]]] = {
    "ctg": ("UCI cardiotocography", uci_ctg.find),
    "acidaemia": ("CTU-UHB", ctu_uhb.find),
    "grader": ("panel readings", panel.find),
    "ultrasound": ("HC18", hc18.find),
}


def find(modality: Modality, data: Path) -> Path:
    """Find the folder of a modality's data set.

    Raises
    ------
    DataSetError
        It is not below `data`.
    """
    name, find_layout = LAYOUTS[modality]
    folder = find_layout(data)
    if folder is None:
        raise DataSetError(f"{data}: no {name} data set below this folder; see `fetal-health data fetch`")
    return folder.resolve()


def groups_of(modality: Modality, folder: Path) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
    """Group (woman, record, examination) and stratum of each row of a data set, each of shape (n,)."""
    if modality == "ctg":
        table = read_ctg(str(folder))
        return table.woman, table.state
    if modality == "acidaemia":
        births = read_births(str(folder))
        return births.names, births.labels
    if modality == "grader":
        graded = read_graded(str(folder))
        return graded.woman, graded.reading
    records = read_heads(str(folder))
    return np.array([record.examination for record in records]), head_strata(records)


def undivided(name: str, modality: Modality, data: Path) -> Site:
    """A site that has everything in its data folder; raises as `find`."""
    folder = find(modality, data)
    groups, strata = groups_of(modality, folder)
    return Site(name, modality, str(folder), sorted(set(groups.tolist())), len(groups), np.bincount(strata).tolist())


@lru_cache(maxsize=2)
def read_ctg(folder: str) -> uci_ctg.CtgTable:
    """Read the whole table, once a process."""
    return uci_ctg.read(Path(folder))


@lru_cache(maxsize=2)
def read_births(folder: str) -> Births:
    """Read and measure all labour records, once a process."""
    records = ctu_uhb.read(Path(folder))
    return Births.of(records, measured_features(records))


@lru_cache(maxsize=2)
def read_graded(folder: str) -> Graded:
    """Read and measure all windows of the panel, once a process."""
    return Graded.of(panel.read(Path(folder)))


@lru_cache(maxsize=1)
def read_heads(folder: str) -> list[hc18.HeadImage]:
    """Read all images, once a process."""
    return hc18.read(Path(folder))


def ctg_rows(site: Site) -> uci_ctg.CtgTable:
    """The site's own rows of the table."""
    table = read_ctg(site.data)
    return table.rows(np.flatnonzero(np.isin(table.woman, site.groups)))


def birth_rows(site: Site) -> Births:
    """The site's own labour records."""
    births = read_births(site.data)
    return births.rows(np.flatnonzero(np.isin(births.names, site.groups)))


def graded_rows(site: Site) -> Graded:
    """The site's own windows that its panel has read."""
    graded = read_graded(site.data)
    return graded.rows(np.flatnonzero(np.isin(graded.woman, site.groups)))


def head_rows(site: Site) -> list[hc18.HeadImage]:
    """The site's own images."""
    groups = set(site.groups)
    return [record for record in read_heads(site.data) if record.examination in groups]
