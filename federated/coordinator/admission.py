"""The SuperLink's two ports, and which hospitals are admitted.

On the public port, hospitals reach Flower's fleet interface and three requests of our own (enrol, hello, approve), and
nothing else. The control and runtime interfaces, which start code and runs, answer on the internal port only.
"""

import json
from base64 import b64decode
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from federated.coordinator.folder import FederationFolder, Hospital, now
from federated.coordinator.superlink import SuperLink
from federated.transport.flower_private import FLEET_HTTP_PUBLIC_KEY_HEADER, HEARTBEAT_DEFAULT_INTERVAL
from federated.trust.agreement import code_hash, library_versions
from federated.trust.identity import load_public, opened, public_pem
from models.errors import FetalHealthError

Scope = MutableMapping[str, Any]
Asgi = Callable[[Scope, Any, Any], Awaitable[None]]
FLEET = "/v1/fleet/"
PUBLIC = (FLEET, "/v1/hospital/")
# Flower signs and checks times; with a clock that differs by more, a message would look forged.
CLOCK_TOLERANCE_S = 60.0
# A node says hello every few seconds, also while it trains. Without a hello for this long, it has stopped.
SESSION_S = 12.0


class RefusedError(FetalHealthError):
    """A hospital is not admitted; the message says why and what to do."""


class OccupiedError(RefusedError):
    """Another node with the same identity is connected."""


class PublicPort:
    """ASGI application that admits hospitals to the fleet and hospital interfaces and refuses everything else."""

    def __init__(self, app: Asgi, federation: FederationFolder) -> None:
        self.app = app
        self.federation = federation

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http":
            if not scope["path"].startswith(PUBLIC):
                return await JSONResponse({"error": "not here"}, 404)(scope, receive, send)
            if scope["path"].startswith(FLEET) and not self.federation.knows(_key(scope)):
                words = "this key is not, or no longer, that of a hospital here"
                return await JSONResponse({"error": words}, 403)(scope, receive, send)
        return await self.app(scope, receive, send)


def _key(scope: Scope) -> str:
    """The public key (PEM) of the key that signed a request; Flower checks the signature."""
    encoded = dict(scope["headers"]).get(FLEET_HTTP_PUBLIC_KEY_HEADER.lower().encode(), b"")
    try:
        return b64decode(encoded, validate=True).decode()
    except ValueError:
        return ""


class NodeRegistry(Protocol):
    """Flower's record of the nodes that are connected."""

    def deactivate_node(self, node_id: int) -> bool:
        """Record that a node has gone."""

    def acknowledge_node_heartbeat(self, node_id: int, heartbeat_interval: float) -> bool:
        """Record that a node is connected."""


class Admission:
    """Answers the three requests of hospitals: enrolment with a kit, hello, approval.

    Parameters
    ----------
    federation : FederationFolder
    nodes : NodeRegistry
        Flower's. A node that comes back is registered anew before its absence was noticed. A node that says hello stays
        registered, even if Flower's own heartbeat is late because the server was away.
    """

    def __init__(self, federation: FederationFolder, nodes: NodeRegistry) -> None:
        self.federation = federation
        self.nodes = nodes
        self.sessions: dict[str, tuple[str, datetime]] = {}

    def enrol(self, statement: dict[str, str]) -> dict[str, Any]:
        """Register the key that a hospital has made; each kit serves once."""
        hospital, stated = self._enrolling(statement)
        if hospital.state == "revoked":
            raise RefusedError(f"{hospital.name} was revoked; ask the federation's operator for a new kit")
        if hospital.state == "joined":
            when = hospital.joined
            raise RefusedError(
                f"the kit of {hospital.name} was used on {when}: if that was not you, tell the federation's operator "
                "at once; if the machine was replaced, ask for a new kit"
            )
        if datetime.fromisoformat(hospital.kit_expires) < datetime.now(UTC):
            raise RefusedError(f"the kit of {hospital.name} expired on {hospital.kit_expires}; ask for a new one")
        key = public_pem(load_public(str(stated["node_key"])))
        for other in self.federation.hospitals():
            if other.node_key == key:
                raise RefusedError(f"that key is already the key of {other.name}: two sites may not share one identity")
        superlink = SuperLink(self.federation)
        if hospital.node:
            superlink.unregister(hospital.node)
        node = superlink.register(hospital.name, key.encode())
        joined = replace(hospital, state="joined", node_key=key, node=node, joined=now())
        self.federation.save_hospital(joined, "hospital.joined", kit=hospital.kit)
        return {"hospital": hospital.name}

    def _enrolling(self, statement: dict[str, str]) -> tuple[Hospital, dict[str, Any]]:
        hospital = self._named(statement)
        stated = opened(statement, load_public(hospital.enrolment_key))
        if stated["kit"] != hospital.kit:
            raise RefusedError(f"a newer kit was made for {hospital.name}; use that one")
        self._check(stated)
        return hospital, stated

    def _named(self, statement: dict[str, str]) -> Hospital:
        try:
            return self.federation.hospital(str(json.loads(statement["payload"])["hospital"]))
        except (KeyError, TypeError, ValueError):
            raise RefusedError("that is no statement of a hospital") from None

    def _check(self, stated: dict[str, Any]) -> None:
        """Refuse a clock that differs too much, and other versions of the shared libraries."""
        ahead_s = (datetime.fromisoformat(str(stated["time"])) - datetime.now(UTC)).total_seconds()
        if abs(ahead_s) > CLOCK_TOLERANCE_S:
            raise RefusedError(
                f"the clock of {stated['hospital']} is {abs(ahead_s):.0f} s {'ahead' if ahead_s > 0 else 'behind'}: "
                "set it by a time server (NTP) and try again"
            )
        for name, here in library_versions().items():
            there = stated["libraries"].get(name)
            if there != here:
                raise RefusedError(
                    f"{stated['hospital']} has {name} {there}, the federation runs {here}: "
                    "install the same release there"
                )

    def _joined(self, statement: dict[str, str]) -> tuple[Hospital, dict[str, Any]]:
        hospital = self._named(statement)
        if hospital.state != "joined":
            what = "was revoked" if hospital.state == "revoked" else "has not used its newest kit"
            raise RefusedError(f"{hospital.name} {what}; ask the federation's operator")
        return hospital, opened(statement, load_public(hospital.node_key))

    def hello(self, statement: dict[str, str]) -> dict[str, Any]:
        """Note that a node is connected; answer with the offers to its hospital.

        Raises
        ------
        OccupiedError
            Another node with the same identity is connected.
        """
        hospital, stated = self._joined(statement)
        self._check(stated)
        session, last = self.sessions.get(hospital.name, ("", datetime.min.replace(tzinfo=UTC)))
        if stated["session"] != session and (datetime.now(UTC) - last).total_seconds() < SESSION_S:
            self.federation.journal.write("hospital.twice", hospital=hospital.name)
            raise OccupiedError(
                f"{hospital.name} is already connected from another machine or folder: two sites may not share one "
                "identity; stop one, or ask for a kit of its own"
            )
        if stated["arriving"]:
            self.nodes.deactivate_node(hospital.node)
        if stated["leaving"]:
            self.sessions.pop(hospital.name, None)
        else:
            if not stated["arriving"]:
                self.nodes.acknowledge_node_heartbeat(hospital.node, HEARTBEAT_DEFAULT_INTERVAL)
            self.sessions[hospital.name] = (stated["session"], datetime.now(UTC))
        self.federation.record_hello(hospital.name, {name: stated[name] for name in ("modality", "rows", "code")})
        offers = [{"bundle": offer.agreement, "plan": offer.plan} for offer in self.federation.offers(hospital.name)]
        return {"offers": offers, "code": code_hash()}

    def approve(self, statement: dict[str, str]) -> dict[str, Any]:
        """Store a hospital's signed approval of an agreement."""
        hospital, stated = self._joined(statement)
        agreement = str(stated["bundle"])  # the message keeps the key of earlier releases
        if agreement not in {offer.agreement for offer in self.federation.offers(hospital.name)}:
            raise RefusedError(f"plan {agreement[:12]} is not on offer to {hospital.name}")
        self.federation.save_approval(hospital.name, agreement, statement)
        return {"approved": agreement}

    def routes(self) -> list[Route]:
        """Routes of the three requests, each a POST with a signed statement."""

        def answer(question: Callable[[dict[str, str]], dict[str, Any]]) -> Route:
            async def handle(request: Request) -> JSONResponse:
                try:
                    return JSONResponse(await run_in_threadpool(question, await request.json()))
                except FetalHealthError as error:
                    return JSONResponse({"error": str(error)}, 409 if isinstance(error, OccupiedError) else 403)
                except (AttributeError, KeyError, TypeError, ValueError):
                    return JSONResponse({"error": "the statement lacks something: install the same release"}, 400)

            return Route(f"/v1/hospital/{question.__name__}", handle, methods=["POST"])

        return [answer(question) for question in (self.enrol, self.hello, self.approve)]
