"""A hospital's node: Flower's connection to the SuperLink, and the code that is installed here behind it.

It stays one process, so that a round does not wait for a new one, and asks for messages several times a second while a
run is going. Before anything of a run is read the run's bundle must be one that this hospital has approved. What the
server calls the run's code is only ever compared with what is installed; nothing that was delivered is executed.
"""

import fcntl
import logging
import os
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
os.environ.setdefault("FLWR_DISABLE_UPDATE_CHECK", "1")

from cryptography.hazmat.primitives.asymmetric import ec
from flwr.app import Context, Error, Message, RecordDict
from flwr.supercore.inflatable.inflatable_object import (
    get_all_nested_objects,
    get_object_tree,
    iterate_object_tree,
    no_object_id_recompute,
)
from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents, pull_objects, push_objects
from flwr.supercore.run import RunNotRunningException
from flwr.supernode.fleet_http_connection import http_request_response

from federated.hospital.folder import JoinError, SiteFolder
from federated.hospital.preflight import check_disk
from federated.hospital.presence import Presence
from federated.plan import Plan
from federated.sites.data import SITES_VARIABLE
from federated.transport.errors import DISK_FULL, NOT_APPROVED
from federated.transport.packing import unpack
from models.errors import InputError

BUSY_S, IDLE_S, IDLE_AFTER_S = 0.2, 1.0, 120.0
PRECONDITION = 6  # Flower's code for an answer that was not tried
RUNS_KEPT = 4


class Runs:
    """What this node knows of the runs that it was asked about: the approved plan and the state between messages.

    Parameters
    ----------
    site : SiteFolder
    """

    def __init__(self, site: SiteFolder) -> None:
        self.site = site
        self.bundles: dict[int, str] = {}
        self.plans: dict[int, Plan | None] = {}
        self.contexts: OrderedDict[int, Context] = OrderedDict()

    def plan(self, run_id: int) -> Plan | None:
        """The approved plan; refusals are logged once a run. An approval that is withdrawn ends a run too."""
        bundle = self.bundles[run_id]
        if self.plans.get(run_id) and bundle not in self.site.approvals():
            del self.plans[run_id]
        if run_id not in self.plans:
            plan = self.plans[run_id] = self.site.may_run(bundle)
            what = "run.accepted" if plan else "run.refused"
            self.site.journal.write(what, run=str(run_id), bundle=bundle)
        return self.plans[run_id]

    def context(self, run_id: int, node_id: int) -> Context:
        """The state of a run, kept between its messages."""
        if run_id not in self.contexts:
            config: dict[str, Any] = {"partition-id": int(self.site.about["number"])}
            self.contexts[run_id] = Context(run_id, node_id, config, RecordDict(), {})
            while len(self.contexts) > RUNS_KEPT:
                self.contexts.popitem(last=False)
        return self.contexts[run_id]


def refusal(message: Message, reason: str) -> Message:
    """A reply that says why there is none."""
    return Message(Error(PRECONDITION, reason), reply_to=message)


def answer(runs: Runs, message: Message, node_id: int) -> Message:
    """Let the installed ClientApp answer a message of an approved run."""
    plan = runs.plans[message.metadata.run_id]
    config = unpack(message.content).config_records.get("config", {})
    if plan is None or ("plan" in config and Plan.model_validate_json(str(config["plan"])) != plan):
        runs.site.journal.write("message.refused", kind=message.metadata.message_type)
        return refusal(message, NOT_APPROVED)
    try:
        check_disk(runs.site.path)
        runs.site.journal.write("message", kind=message.metadata.message_type, run=str(message.metadata.run_id))
    except (InputError, OSError):  # what is not on record does not happen
        return refusal(message, DISK_FULL)
    from federated.client_app import app

    context = runs.context(message.metadata.run_id, node_id)
    return app(message, context)


def work(site: SiteFolder) -> None:
    """Answer the federation until interrupted.

    Raises
    ------
    JoinError
        The federation no longer lets this hospital in.
    """
    logging.getLogger("flwr").setLevel(logging.ERROR)
    os.environ[SITES_VARIABLE] = str(site.path / "work")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with alone(site):
        site.journal.write("node.started")
        presence = Presence(site)
        presence.arrive()
        try:
            _connected(site, presence)
        finally:
            presence.leave()
            site.journal.write("node.stopped")
    if presence.refused:
        raise presence.refused


@contextmanager
def alone(site: SiteFolder) -> Iterator[None]:
    """Keep a second node from starting on the same folder.

    Raises
    ------
    JoinError
        One is running.
    """
    with (site.path / "node.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise JoinError(f"a node is running on {site.path} already") from None
        yield


def _connected(site: SiteFolder, presence: Presence) -> None:
    key = site.key
    public = key.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    address, authority = str(site.about["address"]), (site.path / "ca.crt").read_bytes()
    with http_request_response(address, False, authority, (key, public)) as connection:
        Node(site, connection, presence).run()


class Node:
    """The loop over Flower's connection.

    Parameters
    ----------
    site : SiteFolder
    connection : tuple
        As `flwr.supernode.fleet_http_connection.http_request_response` gives it.
    presence : Presence
    """

    def __init__(self, site: SiteFolder, connection: Any, presence: Presence) -> None:
        self.site = site
        self.presence = presence
        (self.node_id, self.receive, self.send, self.get_run, _, self.pull, self.push, self.confirm) = connection
        self.runs = Runs(site)

    def run(self) -> None:
        """Answer until interrupted or refused."""
        busy_until = 0.0
        print(
            f"{self.site.name}: connected to {self.site.about['federation']} at {self.site.about['address']}",
            flush=True,
        )
        while not self.presence.refused:
            if self._one():
                busy_until = time.monotonic() + IDLE_AFTER_S
            else:
                time.sleep(BUSY_S if time.monotonic() < busy_until else IDLE_S)

    def _one(self) -> bool:
        """Answer one message, if there is one."""
        try:
            received = self.receive()
            if received is None:
                return False
            message, tree = received
            run_id = message.metadata.run_id
            if run_id not in self.runs.bundles:
                self.runs.bundles[run_id] = self.get_run(run_id).fab_hash
            if self.runs.plan(run_id) is None:
                self.confirm(run_id, message.metadata.message_id)
                self._reply(refusal(message, NOT_APPROVED), 0.0)
                return True
            message = self._pulled(message, tree)
            started = time.monotonic()
            self._reply(answer(self.runs, message, self.node_id), time.monotonic() - started)
        except RunNotRunningException:
            return False
        except Exception as error:  # a connection that broke in the middle: the server's deadline counts
            self.site.journal.write("message.failed", error=type(error).__name__)
            return False
        return True

    def _pulled(self, message: Message, tree: Any) -> Message:
        run_id, message_id = message.metadata.run_id, message.metadata.message_id
        objects = [found.object_id for found in iterate_object_tree(tree)]
        whole = inflate_object_from_contents(message_id, pull_objects(objects, lambda one: self.pull(run_id, one)))
        assert isinstance(whole, Message)
        self.confirm(run_id, message_id)
        whole.metadata.__dict__["_message_id"] = message_id
        return whole

    def _reply(self, reply: Message, seconds: float) -> None:
        with no_object_id_recompute():
            reply.metadata.__dict__["_message_id"] = reply.object_id
            objects = get_all_nested_objects(reply)
            wanted, session = self.send(reply, get_object_tree(reply), seconds)
            push_objects(
                objects,
                lambda name, content: self.push(reply.metadata.run_id, session, name, content),
                object_ids_to_push=wanted,
            )
