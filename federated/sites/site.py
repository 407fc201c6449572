"""A training site: what its folder says about it, and where the site of a Flower node finds its folder.

A site's folder holds ``site.json``: the site's name and modality, the folder of the data set, and the groups (women,
records or examinations) that belong to the site.
"""

import json
import os
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from models.representation.examples import Modality as SharedModality

Modality = Literal["ctg", "acidaemia", "grader", "ultrasound"]
# Names of simulated sites begin with these.
LABELS: dict[Modality, str] = {
    "ctg": "ctg-hospital",
    "acidaemia": "labour-ward",
    "grader": "reading-panel",
    "ultrasound": "scan-hospital",
}
# What the sites of each modality bring to a shared representation.
MODALITY_OF: dict[str, SharedModality] = {"ctg": "table", "acidaemia": "trace", "ultrasound": "scan"}
# Environment variable with the folder that holds the sites' folders.
SITES_VARIABLE = "FETAL_HEALTH_SITES"


@dataclass(frozen=True)
class Site:
    """One training site: a hospital, one department of it, or a simulated part of a data set.

    Attributes
    ----------
    name : str
    modality : {"ctg", "acidaemia", "grader", "ultrasound"}
        The model that it trains: the pattern model, the acidaemia model, the panel grader or the segmenter.
    data : str
        Folder of the data set.
    groups : list of str
        Women (CTG tables, panel readings), records (labour traces) or examinations (ultrasound) of this site.
    rows : int
        Number of rows.
    strata : list of int
        Rows of each class: state of the fetus, range of the pH, reading of the panel, or size of the head.
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


def save_site(site: Site, folder: Path) -> None:
    """Write a site's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "site.json").write_text(json.dumps(asdict(site)), encoding="utf-8")


def folder_of_partition(partition: int) -> Path:
    """The folder of the site with this partition number."""
    return Path(os.environ[SITES_VARIABLE]) / str(partition)


def site_of_partition(partition: int) -> Site:
    """The site with this partition number; its ``site.json`` is read once a process."""
    return _read(folder_of_partition(partition))


@lru_cache(maxsize=1024)
def _read(folder: Path) -> Site:
    return Site(**json.loads((folder / "site.json").read_text(encoding="utf-8")))
