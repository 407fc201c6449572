"""A hospital's node: it receives messages over Flower's connection and answers them with the installed code.

The node is one process, so that a round does not wait for a new one. While a run is active it asks for messages several
times a second. Before it reads any message of a run, this hospital must have approved the run's agreement. The hash of
the run's code is only compared with the installed code. Nothing that was delivered is executed.
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

from federated.hospital.folder import JoinError, SiteFolder
from federated.hospital.preflight import check_disk
from federated.hospital.presence import Presence
from federated.plan import Plan, plan_from_json
from federated.sites.site import SITES_VARIABLE
from federated.transport.errors import DISK_FULL, NOT_APPROVED
from federated.transport.flower_private import (
    RunNotRunningException,
    get_all_nested_objects,
    get_object_tree,
    http_request_response,
    inflate_object_from_contents,
    iterate_object_tree,
    no_object_id_recompute,
    pull_objects,
    push_objects,
    set_message_id,
)
from federated.transport.packing import unpack
from models.errors import InputError

BUSY_S, IDLE_S, IDLE_AFTER_S = 0.2, 1.0, 120.0
PRECONDITION = 6  # Flower's code for a message that was not tried
RUNS_REMEMBERED = 4


class ApprovedRuns:
    """What this node remembers of runs: the agreement, the approved plan, and the state between messages.

    Parameters
    ----------
    site : SiteFolder
    """

    def __init__(self, site: SiteFolder) -> None:
        self.site = site
        self.agreements: dict[int, str] = {}
        self.plans: dict[int, Plan | None] = {}
        self.contexts: OrderedDict[int, Context] = OrderedDict()

    def plan(self, run_id: int) -> Plan | None:
        """The approved plan of a run, or None; logged once for each run. Withdrawing an approval also ends its runs."""
        agreement = self.agreements[run_id]
        if self.plans.get(run_id) and agreement not in self.site.approvals():
            del self.plans[run_id]
        if run_id not in self.plans:
            plan = self.plans[run_id] = self.site.approved_plan(agreement)
            event = "run.accepted" if plan else "run.refused"
            self.site.journal.write(event, run=str(run_id), bundle=agreement)
        return self.plans[run_id]

    def context(self, run_id: int, node_id: int) -> Context:
        """The state of a run, which is stored between its messages."""
        if run_id not in self.contexts:
            config: dict[str, Any] = {"partition-id": int(self.site.about["number"])}
            self.contexts[run_id] = Context(run_id, node_id, config, RecordDict(), {})
            while len(self.contexts) > RUNS_REMEMBERED:
                self.contexts.popitem(last=False)
        return self.contexts[run_id]


def refusal(message: Message, reason: str) -> Message:
    """A reply that says why the message is not answered."""
    return Message(Error(PRECONDITION, reason), reply_to=message)


def answer(runs: ApprovedRuns, message: Message, node_id: int) -> Message:
    """Let the installed ClientApp answer a message of an approved run."""
    plan = runs.plans[message.metadata.run_id]
    config = unpack(message.content).config_records.get("config", {})
    if plan is None or ("plan" in config and plan_from_json(str(config["plan"])) != plan):
        runs.site.journal.write("message.refused", kind=message.metadata.message_type)
        return refusal(message, NOT_APPROVED)
    try:
        check_disk(runs.site.path)
        runs.site.journal.write("message", kind=message.metadata.message_type, run=str(message.metadata.run_id))
    except (InputError, OSError):  # a message that cannot be logged is not answered
        return refusal(message, DISK_FULL)
    from federated.client_app import app

    context = runs.context(message.metadata.run_id, node_id)
    return app(message, context)


def work(site: SiteFolder) -> None:
    """Answer the federation until interrupted.

    Raises
    ------
    JoinError
        The federation no longer admits this hospital.
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
    """Prevent a second node from starting on the same folder.

    Raises
    ------
    JoinError
        One is running already.
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
        NodeLoop(site, connection, presence).run()


class NodeLoop:
    """The loop that receives and answers messages.

    Parameters
    ----------
    site : SiteFolder
    connection : tuple
        As Flower's `http_request_response` gives it.
    presence : Presence
    """

    def __init__(self, site: SiteFolder, connection: Any, presence: Presence) -> None:
        self.site = site
        self.presence = presence
        (self.node_id, self.receive, self.send, self.get_run, _, self.pull, self.push, self.confirm) = connection
        self.runs = ApprovedRuns(site)

    def run(self) -> None:
        """Answer until interrupted or refused."""
        busy_until = 0.0
        print(
            f"{self.site.name}: connected to {self.site.about['federation']} at {self.site.about['address']}",
            flush=True,
        )
        while not self.presence.refused:
            if self._answer_next():
                busy_until = time.monotonic() + IDLE_AFTER_S
            else:
                time.sleep(BUSY_S if time.monotonic() < busy_until else IDLE_S)

    def _answer_next(self) -> bool:
        """Answer the next message; return whether there was one."""
        try:
            received = self.receive()
            if received is None:
                return False
            message, tree = received
            run_id = message.metadata.run_id
            if run_id not in self.runs.agreements:
                self.runs.agreements[run_id] = self.get_run(run_id).fab_hash
            if self.runs.plan(run_id) is None:
                self.confirm(run_id, message.metadata.message_id)
                self._reply(refusal(message, NOT_APPROVED), 0.0)
                return True
            message = self._pulled(message, tree)
            started = time.monotonic()
            self._reply(answer(self.runs, message, self.node_id), time.monotonic() - started)
        except RunNotRunningException:
            return False
        except Exception as error:  # the connection broke; the server waits until its deadline
            self.site.journal.write("message.failed", error=type(error).__name__)
            return False
        return True

    def _pulled(self, message: Message, tree: Any) -> Message:
        run_id, message_id = message.metadata.run_id, message.metadata.message_id
        objects = [node.object_id for node in iterate_object_tree(tree)]
        whole = inflate_object_from_contents(message_id, pull_objects(objects, lambda name: self.pull(run_id, name)))
        assert isinstance(whole, Message)
        self.confirm(run_id, message_id)
        set_message_id(whole, message_id)
        return whole

    def _reply(self, reply: Message, seconds: float) -> None:
        with no_object_id_recompute():
            set_message_id(reply, reply.object_id)
            objects = get_all_nested_objects(reply)
            wanted, session = self.send(reply, get_object_tree(reply), seconds)
            push_objects(
                objects,
                lambda name, content: self.push(reply.metadata.run_id, session, name, content),
                object_ids_to_push=wanted,
            )
