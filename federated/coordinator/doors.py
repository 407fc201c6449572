"""The SuperLink's two doors: hospitals reach Flower's fleet interface and a few questions of ours, and nothing else.

The control and runtime interfaces, through which code and runs are started, answer on the inside door only.
"""

import json
from base64 import b64decode
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol

from flwr.common.constant import HEARTBEAT_DEFAULT_INTERVAL
from flwr.supercore.constant import FLEET_HTTP_PUBLIC_KEY_HEADER
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from federated.coordinator.folder import FederationFolder, Hospital, now
from federated.coordinator.superlink import SuperLink
from federated.trust.agreement import code_hash, library_versions
from federated.trust.identity import load_public, opened, public_pem
from models.errors import FetalHealthError

Scope = MutableMapping[str, Any]
Asgi = Callable[[Scope, Any, Any], Awaitable[None]]
FLEET = "/v1/fleet/"
OUTSIDE = (FLEET, "/v1/hospital/")
# Flower signs and checks times; a clock that is off by more would look like a forged message.
CLOCK_TOLERANCE_S = 60.0
# A node says hello every few seconds, also while it trains; one that was silent for longer has stopped.
SESSION_S = 12.0


class RefusedError(FetalHealthError):
    """A hospital is not let in; the message says why and what to do."""


class OccupiedError(RefusedError):
    """Another node with the same identity is there."""


class OutsideDoor:
    """ASGI: lets hospitals through to the fleet and hospital interfaces; refuses everything else."""

    def __init__(self, app: Asgi, federation: FederationFolder) -> None:
        self.app = app
        self.federation = federation

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Pass on or refuse."""
        if scope["type"] == "http":
            if not scope["path"].startswith(OUTSIDE):
                return await JSONResponse({"error": "not here"}, 404)(scope, receive, send)
            if scope["path"].startswith(FLEET) and not self.federation.knows(_key(scope)):
                words = "this key is not, or no longer, that of a hospital here"
                return await JSONResponse({"error": words}, 403)(scope, receive, send)
        return await self.app(scope, receive, send)


def _key(scope: Scope) -> str:
    """The public key (PEM) that a request is signed by; Flower checks the signature."""
    said = dict(scope["headers"]).get(FLEET_HTTP_PUBLIC_KEY_HEADER.lower().encode(), b"")
    try:
        return b64decode(said, validate=True).decode()
    except ValueError:
        return ""


class Places(Protocol):
    """Which nodes Flower's SuperLink takes to be there."""

    def deactivate_node(self, node_id: int) -> bool:
        """It is gone."""

    def acknowledge_node_heartbeat(self, node_id: int, heartbeat_interval: float) -> bool:
        """It is there."""


class Reception:
    """Who is let in: enrolment with a kit, hello, approval.

    Parameters
    ----------
    federation : FederationFolder
    places : Places
        Flower's. A node that comes back gets its place before its absence was noticed; one that says hello keeps it,
        also where Flower's own heartbeat is late because the server was away.
    """

    def __init__(self, federation: FederationFolder, places: Places) -> None:
        self.federation = federation
        self.places = places
        self.sessions: dict[str, tuple[str, datetime]] = {}

    def enrol(self, statement: dict[str, str]) -> dict[str, Any]:
        """Register the key that a hospital has made, once a kit."""
        hospital, said = self._enrolling(statement)
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
        key = public_pem(load_public(str(said["node_key"])))
        for other in self.federation.hospitals():
            if other.node_key == key:
                raise RefusedError(f"that key is already the key of {other.name}: two sites may not share one identity")
        superlink = SuperLink(self.federation)
        if hospital.node:
            superlink.unregister(hospital.node)
        node = superlink.register(hospital.name, key.encode())
        joined = replace(hospital, state="joined", node_key=key, node=node, joined=now())
        self.federation.keep(joined, "hospital.joined", kit=hospital.kit)
        return {"hospital": hospital.name}

    def _enrolling(self, statement: dict[str, str]) -> tuple[Hospital, dict[str, Any]]:
        hospital = self._named(statement)
        said = opened(statement, load_public(hospital.enrolment_key))
        if said["kit"] != hospital.kit:
            raise RefusedError(f"a newer kit was made for {hospital.name}; use that one")
        self._agree(said)
        return hospital, said

    def _named(self, statement: dict[str, str]) -> Hospital:
        try:
            return self.federation.hospital(str(json.loads(statement["payload"])["hospital"]))
        except (KeyError, TypeError, ValueError):
            raise RefusedError("that is no statement of a hospital") from None

    def _agree(self, said: dict[str, Any]) -> None:
        off = (datetime.fromisoformat(str(said["time"])) - datetime.now(UTC)).total_seconds()
        if abs(off) > CLOCK_TOLERANCE_S:
            raise RefusedError(
                f"the clock of {said['hospital']} is {abs(off):.0f} s {'ahead' if off > 0 else 'behind'}: "
                "set it by a time server (NTP) and try again"
            )
        for name, here in library_versions().items():
            there = said["libraries"].get(name)
            if there != here:
                raise RefusedError(
                    f"{said['hospital']} has {name} {there}, the federation runs {here}: install the same release there"
                )

    def _joined(self, statement: dict[str, str]) -> tuple[Hospital, dict[str, Any]]:
        hospital = self._named(statement)
        if hospital.state != "joined":
            what = "was revoked" if hospital.state == "revoked" else "has not used its newest kit"
            raise RefusedError(f"{hospital.name} {what}; ask the federation's operator")
        return hospital, opened(statement, load_public(hospital.node_key))

    def hello(self, statement: dict[str, str]) -> dict[str, Any]:
        """What a node is asked to approve; refuses a second node with the same identity."""
        hospital, said = self._joined(statement)
        self._agree(said)
        session, last = self.sessions.get(hospital.name, ("", datetime.min.replace(tzinfo=UTC)))
        if said["session"] != session and (datetime.now(UTC) - last).total_seconds() < SESSION_S:
            self.federation.journal.write("hospital.twice", hospital=hospital.name)
            raise OccupiedError(
                f"{hospital.name} is already connected from another machine or folder: two sites may not share one "
                "identity; stop one, or ask for a kit of its own"
            )
        if said["arriving"]:
            self.places.deactivate_node(hospital.node)
        if said["leaving"]:
            self.sessions.pop(hospital.name, None)
        else:
            if not said["arriving"]:
                self.places.acknowledge_node_heartbeat(hospital.node, HEARTBEAT_DEFAULT_INTERVAL)
            self.sessions[hospital.name] = (said["session"], datetime.now(UTC))
        self.federation.saw(hospital.name, {name: said[name] for name in ("modality", "rows", "code")})
        offers = [{"bundle": offer.bundle, "plan": offer.plan} for offer in self.federation.offers(hospital.name)]
        return {"offers": offers, "code": code_hash()}

    def approve(self, statement: dict[str, str]) -> dict[str, Any]:
        """Keep a signed approval."""
        hospital, said = self._joined(statement)
        bundle = str(said["bundle"])
        if bundle not in {offer.bundle for offer in self.federation.offers(hospital.name)}:
            raise RefusedError(f"plan {bundle[:12]} is not on offer to {hospital.name}")
        self.federation.approve(hospital.name, bundle, statement)
        return {"approved": bundle}

    def routes(self) -> list[Route]:
        """The three questions, each a POST request with a signed statement."""

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
