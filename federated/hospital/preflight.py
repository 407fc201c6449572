"""Checks before a hospital joins: its data and its disk. The results stay at the hospital."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from federated.plan import SMALL_CELL
from federated.sites.data import LAYOUTS, birth_rows, ctg_rows, graded_rows, head_rows, undivided
from federated.sites.eligibility import CLASSIFIED, schema
from federated.sites.site import Modality, Site
from models.ctg.features import DESIGN_NAMES
from models.ctg.trace_features import TRACE_FEATURE_NAMES
from models.errors import InputError
from models.synthetic.datasets import is_synthetic

FREE_MB = 200
STRATA: dict[Modality, tuple[str, ...]] = {
    "ctg": ("normal", "suspect", "pathological"),
    "acidaemia": ("pH above 7.15", "pH 7.05 to 7.15", "pH below 7.05"),
    "grader": ("read as normal", "suspicious", "pathological"),
    "ultrasound": ("HC below 150 mm", "150 to 210 mm", "210 mm and above"),
}


def check_disk(folder: Path) -> None:
    """Refuse a disk that is almost full.

    Raises
    ------
    InputError
        Fewer than 200 MB are free.
    """
    existing = next(path for path in (folder.resolve(), *folder.resolve().parents) if path.exists())
    free = shutil.disk_usage(existing).free / 2**20
    if free < FREE_MB:
        raise InputError(f"{folder}: {free:.0f} MB are free, {FREE_MB} are needed: make room and try again")


def modality_of(data: Path, wanted: Modality | None) -> Modality:
    """The modality of the data in a folder.

    Raises
    ------
    InputError
        Nothing there has a known layout, or several modalities are there and none was chosen.
    """
    found = [name for name, (_, find) in LAYOUTS.items() if find(data) is not None]
    if wanted is not None and wanted not in found:
        raise InputError(f"{data}: no {LAYOUTS[wanted][0]} data there")
    if not found:
        raise InputError(f"{data}: no data in the layout of {', '.join(name for name, _ in LAYOUTS.values())}")
    if wanted is None and len(found) > 1:
        raise InputError(f"{data} holds {', '.join(found)}: choose one with --modality; each needs a kit of its own")
    return wanted or found[0]


def preflight(name: str, data: Path, wanted: Modality | None, folder: Path) -> Site:
    """Read all data that a site would train on.

    Raises
    ------
    InputError, DataSetError
        The data cannot be used, or the disk is full; the message says what to do.
    """
    check_disk(folder)
    site = undivided(name, modality_of(data, wanted), data)
    if site.modality in CLASSIFIED and sum(count > 0 for count in site.strata) < 2:
        raise InputError(f"{data}: all {site.rows} rows are of one class; a site needs more than one to learn from")
    return site


def report(site: Site) -> Iterator[str]:
    """Lines about schema, counts, classes and ranges, which only the hospital sees."""
    yield f"{LAYOUTS[site.modality][0]}, {site.modality}: {site.rows} rows of {len(site.groups)}, schema {schema()}"
    if is_synthetic(Path(site.data)):
        yield "these data are synthetic: a model that learns from them proves nothing about patients"
    for name, count in zip(STRATA[site.modality], [*site.strata, 0, 0], strict=False):
        few = "; not reported to the federation, because it is fewer than five" if 0 < count < SMALL_CELL else ""
        yield f"  {name}: {count}{few}"
    if site.modality == "ultrasound":
        sizes = [head.head_circumference_mm for head in head_rows(site)]
        yield f"  head circumference {min(sizes):.0f} to {max(sizes):.0f} mm"
        return
    if site.modality == "ctg":
        values, names = ctg_rows(site).features, DESIGN_NAMES
    elif site.modality == "grader":
        graded = graded_rows(site)
        values, names = graded.features, TRACE_FEATURE_NAMES
        for reason, count in graded.left_out.items():
            yield f"  not used, {reason}: {count} windows"
    else:
        births = birth_rows(site)
        values, names = births.features, TRACE_FEATURE_NAMES
        yield f"  pH {np.nanmin(births.ph):.2f} to {np.nanmax(births.ph):.2f}"
    usable = np.isfinite(values).any(axis=1)
    if not usable.all():
        yield f"  {int((~usable).sum())} cannot be assessed and are skipped"
    constant = [str(name) for name, column in zip(names, values[usable].T, strict=False) if np.nanstd(column) == 0]
    if constant:
        yield f"  the same in every row: {', '.join(constant[:5])}"
    yield f"  values from {np.nanmin(values):.3g} to {np.nanmax(values):.3g} in {values.shape[1]} columns"
