"""Simulated sites on one machine: data sets are divided among them; all rows of a group belong to one site."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from federated.plan import Plan, SharedPlan
from federated.sites.data import find, read_births, read_ctg, read_graded, read_heads
from federated.sites.partition import birth_sites, ctg_sites, dirichlet_sites, head_sites, head_strata
from federated.sites.site import LABELS, Modality, Site, save_site


def make_sites(plan: Plan, data: Path, folder: Path, bundle: Path | None = None) -> list[Site]:
    """Divide the data sets among the plan's sites and write a folder for each site, CTG first.

    Raises
    ------
    DataSetError
        A data set that the plan needs is not below `data`.
    """
    sites: list[Site] = []
    shared = plan.shared or SharedPlan(mode="multi-task")
    if ctg := plan.ctg or shared.table:
        where = find("ctg", data)
        table = read_ctg(str(where))
        site_of = ctg_sites(table, ctg, plan.seed)
        sites += _sites("ctg", where, site_of, table.woman, table.state)
    if acidaemia := plan.acidaemia or shared.trace:
        where = find("acidaemia", data)
        births = read_births(str(where))
        site_of = birth_sites(births.names, births.labels, acidaemia, plan.seed)
        sites += _sites("acidaemia", where, site_of, births.names, births.labels)
    if grader := plan.grader:
        where = find("grader", data)
        graded = read_graded(str(where))
        site_of = dirichlet_sites(graded.woman, graded.reading, sites=grader.sites, alpha=grader.alpha, seed=plan.seed)
        sites += _sites("grader", where, site_of, graded.woman, graded.reading)
    if ultrasound := plan.ultrasound or shared.scan:
        where = find("ultrasound", data)
        records = read_heads(str(where))
        site_of = head_sites(records, ultrasound, plan.seed)
        examinations = np.array([record.examination for record in records])
        sites += _sites("ultrasound", where, site_of, examinations, head_strata(records))
    if bundle is not None:
        sites = [replace(site, bundle=str(bundle.resolve())) for site in sites]
    for position, site in enumerate(sites):
        save_site(site, folder / str(position))
    return sites


def _sites(
    modality: Modality, where: Path, site_of: Iterable[int], groups: NDArray[np.str_], strata: NDArray[np.int64]
) -> list[Site]:
    index = np.asarray(site_of)
    levels = int(strata.max()) + 1
    return [
        Site(
            f"{LABELS[modality]}-{k + 1}",
            modality,
            str(where),
            sorted(set(groups[index == k].tolist())),
            int((index == k).sum()),
            np.bincount(strata[index == k], minlength=levels).tolist(),
        )
        for k in np.unique(index)
    ]
