"""A run between hospitals: offer the plan, wait for approvals and connections, train; go on where a server ended."""

import json
import time
from collections.abc import Mapping
from typing import Any

from flwr.serverapp import Grid

from federated.coordinator.folder import FederationFolder, Offer
from federated.coordinator.superlink import SuperLink, SuperLinkError
from federated.plan import Plan
from federated.run.folder import RunFolder
from federated.server_app import federation_of, train
from federated.transport.grid import Federation, Node
from federated.transport.roster import SiteFailureError
from federated.trust.agreement import build, bundle_hash, code_hash
from models.errors import InputError

RUN = "superlink-run"
LOOK_S = 0.3
BEGIN_AGAIN_S = 1.0


def conduct(run: RunFolder, plan: Plan, federation: FederationFolder) -> dict[str, Any]:
    """Train a plan between the hospitals that it names.

    Parameters
    ----------
    run : RunFolder
        Rounds that are done already are not done again.
    plan : Plan
    federation : FederationFolder

    Returns
    -------
    dict
        The results, as ``results.json`` holds them.

    Raises
    ------
    InputError
        The plan names no sites, or some that are not in this federation.
    SiteFailureError
        Too few of them approved, connected or answered in time.
    """
    sites = named(plan, federation)
    bundle = bundle_hash(plan)
    federation.offer(Offer(bundle, plan.model_dump_json(), sites))
    run.event("offered", bundle=bundle[:12], sites=len(sites))
    superlink = SuperLink(federation)
    while True:
        _end_earlier(run, superlink)
        approved = wait_for_approvals(run, plan, federation, sites)
        try:
            with superlink.run(build(plan)) as (number, grid):
                run.keep_results(RUN, number)
                federation.journal.write("run.started", run=run.path.name, number=str(number), bundle=bundle)
                whole = federation_of(grid, run, plan)
                train(whole, run, plan, connected(whole, plan, federation, sites, approved, grid))
            federation.journal.write("run.finished", run=run.path.name, bundle=bundle)
            return dict(json.loads((run.path / "results.json").read_text(encoding="utf-8")))
        except SuperLinkError as error:
            run.event("interrupted", why=str(error), next="from the last whole round")
            time.sleep(BEGIN_AGAIN_S)
            _wait_for_server(superlink, plan.participation.connect_within_s)


def named(plan: Plan, federation: FederationFolder) -> list[str]:
    """The plan's sites.

    Raises
    ------
    InputError
        It names none, or one that was never invited or is revoked.
    """
    if not plan.participation.sites:
        raise InputError('the plan names no hospitals: add sites = ["NAME", ...] to its [participation]')
    for name in plan.participation.sites:
        if federation.hospital(name).state == "revoked":
            raise InputError(f"{name} is revoked: take it out of the plan's sites, or make it a new kit")
    return sorted(plan.participation.sites)


def _end_earlier(run: RunFolder, superlink: SuperLink) -> None:
    """End what a killed job left behind in the SuperLink."""
    if run.has_results(RUN):
        superlink.stop(int(run.results(RUN)))


def _wait_for_server(superlink: SuperLink, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not superlink.answers():
        if time.monotonic() > deadline:
            raise SuperLinkError(f"the SuperLink did not come back within {within_s:g} s; run the same command again")
        time.sleep(LOOK_S)


def _floor(plan: Plan, sites: list[str]) -> int:
    return min(plan.participation.minimum_sites or len(sites), len(sites))


def wait_for_approvals(run: RunFolder, plan: Plan, federation: FederationFolder, sites: list[str]) -> list[str]:
    """Hospitals that approved: all of them, or after the plan's time as many as its floor asks for."""
    deadline, told = time.monotonic() + plan.participation.approve_within_s, False
    bundle = bundle_hash(plan)
    while True:
        approved = [name for name in federation.approved(bundle) if name in sites]
        missing = [name for name in sites if name not in approved]
        if not missing:
            return approved
        if not told:
            run.event("waiting", approval_of=", ".join(missing), bundle=bundle[:12], code=code_hash()[:12])
            told = True
        if time.monotonic() > deadline:
            if len(approved) >= _floor(plan, sites):
                return approved
            raise SiteFailureError(
                f"not approved by {', '.join(missing)} within {plan.participation.approve_within_s:g} s: "
                f"{len(approved)} of {len(sites)} sites approved, {_floor(plan, sites)} needed. There: "
                f"`fetal-health federate approve FOLDER {bundle[:12]}`; then run the same command again"
            )
        time.sleep(LOOK_S)


def connected(
    whole: Federation,
    plan: Plan,
    federation: FederationFolder,
    sites: list[str],
    approved: list[str],
    grid: Grid,
) -> list[Node]:
    """Approved hospitals whose nodes are there. Who is not leaves the run by name, above the floor.

    Raises
    ------
    SiteFailureError
        Fewer than the floor.
    """
    members = {
        name: Node(federation.hospital(name).node, name, _modality(federation.seen(name)), 0, 0) for name in sites
    }
    deadline = time.monotonic() + plan.participation.connect_within_s
    while True:
        here = set(grid.get_node_ids())
        absent = [name for name in approved if members[name].node not in here]
        if not absent or time.monotonic() > deadline:
            break
        time.sleep(LOOK_S)
    everyone = list(members.values())
    if unapproved := [name for name in sites if name not in approved]:
        whole.roster.lose(everyone, unapproved, "did not approve the plan in time")
    if absent:
        whole.roster.lose(everyone, absent, f"not connected within {plan.participation.connect_within_s:g} s")
    return [members[name] for name in approved if name not in absent]


def _modality(seen: Mapping[str, Any]) -> str:
    return str(seen.get("modality", ""))


def data_entries(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """For the manifest: whose rows each modality learned from; the rows stay there."""
    entries = []
    for modality in ("ctg", "acidaemia", "ultrasound"):
        if modality not in results:
            continue
        nodes = results[modality]["nodes"]
        synthetic = any(results["data"][name]["synthetic"] for name in nodes)
        entries.append(
            {
                "name": f"{'synthetic ' if synthetic else ''}rows of {len(nodes)} hospitals",
                "modality": modality,
                "licence": "none needed" if synthetic else "stays at the hospitals",
                "citation": ", ".join(sorted(nodes)),
                "rows": sum(node["rows"] for node in nodes.values()),
                "groups": sum(node["groups"] for node in nodes.values()),
                "files": [],
            }
        )
    return entries
