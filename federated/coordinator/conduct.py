"""A run between hospitals: offer the agreement, wait for approvals and nodes, train, resume after interruptions."""

import json
import time
from collections.abc import Mapping
from typing import Any

from federated.coordinator.folder import FederationFolder, Offer
from federated.coordinator.superlink import SuperLink, SuperLinkError
from federated.plan import Plan
from federated.run.folder import RunFolder
from federated.run.training import Training
from federated.server_app import train, training_of
from federated.transport.grid import ConnectedSite
from federated.transport.roster import SiteFailureError
from federated.trust.agreement import agreement_hash, build_agreement, code_hash
from models.errors import InputError

RUN = "superlink-run"
LOOK_S = 0.3
BEGIN_AGAIN_S = 1.0


def conduct(run: RunFolder, plan: Plan, federation: FederationFolder) -> dict[str, Any]:
    """Train a plan between the hospitals that it names.

    Parameters
    ----------
    run : RunFolder
        Rounds that are done already are not repeated.
    plan : Plan
    federation : FederationFolder

    Returns
    -------
    dict
        The results, as in ``results.json``.

    Raises
    ------
    InputError
        The plan names no hospitals, or some that are not in this federation.
    SiteFailureError
        Too few of them approved, connected or answered in time.
    """
    hospitals = named(plan, federation)
    agreement = agreement_hash(plan)
    federation.offer(Offer(agreement, plan.model_dump_json(), hospitals))
    # Events and journal keep the key "bundle" of earlier releases for the hash of an agreement.
    run.event("offered", bundle=agreement[:12], sites=len(hospitals))
    superlink = SuperLink(federation)
    while True:
        _end_earlier(run, superlink)
        approved = wait_for_approvals(run, plan, federation, hospitals)
        try:
            with superlink.run(build_agreement(plan)) as (number, grid):
                run.save_results(RUN, number)
                federation.journal.write("run.started", run=run.path.name, number=str(number), bundle=agreement)
                training = training_of(grid, run, plan)
                train(training, connected(training, federation, hospitals, approved))
            federation.journal.write("run.finished", run=run.path.name, bundle=agreement)
            return dict(json.loads((run.path / "results.json").read_text(encoding="utf-8")))
        except SuperLinkError as error:
            run.event("interrupted", why=str(error), next="from the last whole round")
            time.sleep(BEGIN_AGAIN_S)
            _wait_for_server(superlink, plan.participation.connect_within_s)


def named(plan: Plan, federation: FederationFolder) -> list[str]:
    """The hospitals that the plan names, sorted.

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
    """End the SuperLink's run of a job that was killed."""
    if run.has_results(RUN):
        superlink.stop(int(run.results(RUN)))


def _wait_for_server(superlink: SuperLink, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not superlink.answers():
        if time.monotonic() > deadline:
            raise SuperLinkError(f"the SuperLink did not come back within {within_s:g} s; run the same command again")
        time.sleep(LOOK_S)


def _needed(plan: Plan, hospitals: list[str]) -> int:
    return min(plan.participation.minimum_sites or len(hospitals), len(hospitals))


def wait_for_approvals(run: RunFolder, plan: Plan, federation: FederationFolder, hospitals: list[str]) -> list[str]:
    """Wait for the hospitals' approvals; return all of them, or after the plan's time those that have approved.

    Raises
    ------
    SiteFailureError
        After the plan's time fewer hospitals have approved than the plan needs.
    """
    deadline, announced = time.monotonic() + plan.participation.approve_within_s, False
    agreement = agreement_hash(plan)
    while True:
        approved = [name for name in federation.approved(agreement) if name in hospitals]
        missing = [name for name in hospitals if name not in approved]
        if not missing:
            return approved
        if not announced:
            run.event("waiting", approval_of=", ".join(missing), bundle=agreement[:12], code=code_hash()[:12])
            announced = True
        if time.monotonic() > deadline:
            if len(approved) >= _needed(plan, hospitals):
                return approved
            raise SiteFailureError(
                f"not approved by {', '.join(missing)} within {plan.participation.approve_within_s:g} s: "
                f"{len(approved)} of {len(hospitals)} sites approved, {_needed(plan, hospitals)} needed. There: "
                f"`fetal-health federate approve FOLDER {agreement[:12]}`; then run the same command again"
            )
        time.sleep(LOOK_S)


def connected(
    training: Training, federation: FederationFolder, hospitals: list[str], approved: list[str]
) -> list[ConnectedSite]:
    """Wait for the nodes of the hospitals that have approved; the others leave the run.

    Raises
    ------
    SiteFailureError
        Fewer hospitals are left than the plan needs.
    """
    group, within_s = training.sites, training.plan.participation.connect_within_s
    members = {
        name: ConnectedSite(federation.hospital(name).node, name, _modality(federation.seen(name)), 0, 0)
        for name in hospitals
    }
    deadline = time.monotonic() + within_s
    while True:
        nodes = set(group.grid.get_node_ids())
        absent = [name for name in approved if members[name].node not in nodes]
        if not absent or time.monotonic() > deadline:
            break
        time.sleep(LOOK_S)
    if unapproved := [name for name in hospitals if name not in approved]:
        group.roster.drop(list(members.values()), unapproved, "did not approve the plan in time")
    if absent:
        group.roster.drop(list(members.values()), absent, f"not connected within {within_s:g} s")
    return [members[name] for name in approved if name not in absent]


def _modality(seen: Mapping[str, Any]) -> str:
    return str(seen.get("modality", ""))


def data_entries(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Describe, for the manifest, whose rows each model learned from; the rows stay at the hospitals."""
    entries = []
    for modality in ("ctg", "acidaemia", "grader", "ultrasound"):
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
