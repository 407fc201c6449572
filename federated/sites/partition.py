"""Partitions of a data set among simulated sites.

Whole groups (woman, record, examination) are assigned to sites: the rows of a group are never at two sites.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from federated.plan import AcidaemiaPlan, CtgPlan, PartitionPlan, UltrasoundPlan
from models.datasets.hc18 import HeadImage
from models.datasets.uci_ctg import CtgTable

Labels = NDArray[np.int64]


def worst_by_group(groups: NDArray[np.str_], values: Labels) -> dict[str, int]:
    """The largest value of each group, in sorted order of the groups."""
    return {str(group): int(values[groups == group].max()) for group in np.unique(groups)}


def dirichlet_sites(
    groups: NDArray[np.str_], strata: Labels, *, sites: int, alpha: float, seed: int, minimum_groups: int = 3
) -> Labels:
    """Assign whole groups to sites with a Dirichlet-skewed mix of strata.

    Parameters
    ----------
    groups : ndarray of str, shape (n,)
    strata : ndarray of int, shape (n,)
        A group's stratum is its largest value (for example a woman's worst class).
    sites : int
    alpha : float
        Concentration of the Dirichlet distribution: small values give sites that differ, large values similar sites.
    seed : int
    minimum_groups : int
        The draw is repeated until every site has at least this many groups.

    Returns
    -------
    ndarray of int, shape (n,)
        Site of each row.

    Raises
    ------
    ValueError
        There are too few groups for so many sites.
    """
    stratum = worst_by_group(groups, strata)
    if len(stratum) < sites * minimum_groups:
        raise ValueError(f"{len(stratum)} groups are too few for {sites} sites of at least {minimum_groups}")
    rng = np.random.default_rng(seed)
    names = np.array(list(stratum))
    worst = np.array(list(stratum.values()))
    for _ in range(1000):
        assigned = np.zeros(len(names), dtype=np.int64)
        for level in np.unique(worst):
            members = np.flatnonzero(worst == level)
            share = rng.dirichlet(np.full(sites, alpha))
            assigned[members] = rng.choice(sites, size=len(members), p=share)
        if np.bincount(assigned, minlength=sites).min() >= minimum_groups:
            break
    else:
        raise ValueError(f"no draw gave every site {minimum_groups} groups; raise alpha or lower the sites")
    lookup = dict(zip(names, assigned, strict=True))
    return np.array([lookup[group] for group in groups], dtype=np.int64)


def family_sites(groups: NDArray[np.str_], family: NDArray[np.str_], *, halves: int = 2, seed: int) -> Labels:
    """Divide each family (for example of file names) among `halves` sites, by group."""
    rng = np.random.default_rng(seed)
    site = np.zeros(len(groups), dtype=np.int64)
    for index, name in enumerate(np.unique(family)):
        members = np.unique(groups[family == name])
        rng.shuffle(members)
        part = {group: position % halves for position, group in enumerate(members)}
        rows = np.flatnonzero(family == name)
        site[rows] = [index * halves + part[group] for group in groups[rows]]
    return site


def head_strata(records: Sequence[HeadImage]) -> Labels:
    """Size band of each head: 0 early (HC below 150 mm), 1 middle (below 210 mm), 2 late; a proxy of the trimester."""
    return np.digitize([record.head_circumference_mm for record in records], [150.0, 210.0]).astype(np.int64)


def head_sites(records: Sequence[HeadImage], plan: UltrasoundPlan | PartitionPlan, seed: int) -> Labels:
    """Simulated site of each image, assigned by examination.

    Sites are skewed by head size, or ordered by head size or by pixel size.
    """
    examinations = np.array([record.examination for record in records])
    if plan.partition == "dirichlet":
        return dirichlet_sites(examinations, head_strata(records), sites=plan.sites, alpha=plan.alpha, seed=seed)
    by_size = plan.partition == "trimester"
    values = [record.head_circumference_mm if by_size else record.pixel_size_mm for record in records]
    return sorted_sites(examinations, np.array(values), sites=plan.sites)


def sorted_sites(groups: NDArray[np.str_], values: NDArray[np.float64], *, sites: int) -> Labels:
    """Assign whole groups, ordered by their mean value, to sites with equally many groups: such sites differ most."""
    names, inverse = np.unique(groups, return_inverse=True)
    mean = np.bincount(inverse, values) / np.bincount(inverse)
    rank = np.argsort(np.argsort(mean, kind="stable"))
    return np.asarray((rank * sites // len(names))[inverse], dtype=np.int64)


def ctg_sites(table: CtgTable, plan: CtgPlan | PartitionPlan, seed: int) -> Labels:
    """Simulated site of each CTG segment, assigned by woman."""
    if plan.partition == "family":
        return family_sites(table.woman, table.family, halves=plan.sites // 2, seed=seed)
    return dirichlet_sites(table.woman, table.state, sites=plan.sites, alpha=plan.alpha, seed=seed)


def birth_sites(names: NDArray[np.str_], labels: Labels, plan: AcidaemiaPlan | PartitionPlan, seed: int) -> Labels:
    """Simulated site of each labour record, skewed by how low the pH is."""
    return dirichlet_sites(names, labels, sites=plan.sites, alpha=plan.alpha, seed=seed)
