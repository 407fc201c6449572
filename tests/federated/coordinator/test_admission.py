"""Who is let in: everything that is refused before Flower hears of it."""

import importlib.util
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from federated.coordinator import kit
from federated.coordinator.folder import FederationFolder, Offer
from federated.trust import kit as kits
from federated.trust.agreement import library_versions
from federated.trust.identity import PrivateKey, new_key, public_pem, signed
from tests.conftest import need

if importlib.util.find_spec("flwr") is not None:
    from federated.coordinator.admission import Admission, PublicPort, RefusedError


@pytest.fixture(autouse=True)
def _flower() -> None:
    need(importlib.util.find_spec("flwr") is not None, "training is not installed")


@pytest.fixture
def federation(tmp_path: Path) -> FederationFolder:
    return FederationFolder.create(tmp_path / "fed", "north", "127.0.0.1", 9443, 9444)


def said(federation: FederationFolder, tmp_path: Path, name: str = "anne", **other: Any) -> tuple[dict[str, str], Any]:
    """An enrolment as a hospital with a fresh kit would send it."""
    made = kits.read(kit.create(federation, name, tmp_path, days=int(other.pop("days", 30))))
    content = {
        "hospital": name,
        "kit": made.identifier,
        "node_key": public_pem(new_key().public_key()),
        "time": datetime.now(UTC).isoformat(),
        "libraries": library_versions(),
        **other,
    }
    return signed(content, made.key), made


def joined(federation: FederationFolder, tmp_path: Path, name: str = "anne") -> PrivateKey:
    """A hospital that has joined, as enrolment leaves it."""
    from dataclasses import replace

    kit.create(federation, name, tmp_path)
    key = new_key()
    hospital = federation.hospital(name)
    federation.save_hospital(
        replace(hospital, state="joined", node_key=public_pem(key.public_key()), node=7, joined="today"),
        "hospital.joined",
    )
    return key


def hello(key: PrivateKey, name: str = "anne", **other: Any) -> dict[str, str]:
    content = {
        "hospital": name,
        "time": datetime.now(UTC).isoformat(),
        "libraries": library_versions(),
        "session": "s1",
        "modality": "ctg",
        "rows": 30,
        "code": "c",
        "arriving": False,
        "leaving": False,
        **other,
    }
    return signed(content, key)


class Places:
    """Notes what Flower would be told."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def deactivate_node(self, node_id: int) -> bool:
        self.seen.append(f"gone {node_id}")
        return True

    def acknowledge_node_heartbeat(self, node_id: int, heartbeat_interval: float) -> bool:
        self.seen.append(f"there {node_id}")
        return True


def reception(federation: FederationFolder) -> "Admission":
    return Admission(federation, Places())


def off(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"time": off(300)}, r"clock of anne is \d+ s ahead: set it by a time server"),
        ({"time": off(-300)}, r"clock of anne is \d+ s behind: set it by a time server"),
        ({"libraries": {**library_versions(), "flwr": "1.40.0"}}, "anne has flwr 1.40.0, the federation runs 1.41"),
        ({"libraries": {}}, "anne has flwr None, the federation runs .*: install the same release there"),
        ({"kit": "000000"}, "a newer kit was made for anne"),
        ({"days": -1}, "the kit of anne expired on .*; ask for a new one"),
        ({"node_key": "none"}, "that is no public key"),
    ],
)
def test_a_kit_is_refused_with_the_reason_and_the_remedy(
    federation: FederationFolder, tmp_path: Path, other: dict[str, Any], words: str
) -> None:
    statement, _ = said(federation, tmp_path, **other)
    with pytest.raises(Exception, match=words):
        reception(federation).enrol(statement)
    assert federation.hospital("anne").state == "invited"


def test_a_kit_is_good_for_one_use_and_a_revoked_one_for_none(federation: FederationFolder, tmp_path: Path) -> None:
    from dataclasses import replace

    statement, _ = said(federation, tmp_path)
    federation.save_hospital(
        replace(federation.hospital("anne"), state="joined", joined="2026-11-01"), "hospital.joined"
    )
    with pytest.raises(RefusedError, match=r"kit of anne was used on 2026-11-01: if that was not you, tell"):
        reception(federation).enrol(statement)
    federation.revoke("anne")
    with pytest.raises(RefusedError, match="anne was revoked; ask"):
        reception(federation).enrol(statement)


def test_an_earlier_kit_does_not_open_the_door_after_a_newer_one(federation: FederationFolder, tmp_path: Path) -> None:
    statement, _ = said(federation, tmp_path)
    kit.create(federation, "anne", tmp_path)
    with pytest.raises(Exception, match="signature does not fit"):
        reception(federation).enrol(statement)


def test_two_sites_may_not_share_one_key(federation: FederationFolder, tmp_path: Path) -> None:
    key = joined(federation, tmp_path, "mary")
    statement, _ = said(federation, tmp_path, node_key=public_pem(key.public_key()))
    with pytest.raises(RefusedError, match="already the key of mary: two sites may not share one identity"):
        reception(federation).enrol(statement)


def test_a_second_node_of_one_hospital_is_refused_while_the_first_is_there(
    federation: FederationFolder, tmp_path: Path
) -> None:
    key, desk = joined(federation, tmp_path), reception(federation)
    desk.hello(hello(key))
    desk.hello(hello(key))
    with pytest.raises(RefusedError, match="anne is already connected from another machine or folder"):
        desk.hello(hello(key, session="s2"))
    assert list(federation.journal.lines())[-1]["what"] == "hospital.twice"
    desk.hello(hello(key, leaving=True))
    desk.hello(hello(key, session="s2"))


def test_an_arriving_node_gets_the_place_of_the_one_that_crashed(federation: FederationFolder, tmp_path: Path) -> None:
    places = Places()
    key, desk = joined(federation, tmp_path), Admission(federation, places)
    desk.hello(hello(key, arriving=True))
    desk.hello(hello(key))
    desk.hello(hello(key, leaving=True))
    assert places.seen == ["gone 7", "there 7"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.revoke("anne"), "anne was revoked"),
        (lambda f: kit.create(f, "anne", f.path), "anne has not used its newest kit"),
    ],
)
def test_who_was_shut_out_is_told_so(
    federation: FederationFolder, tmp_path: Path, change: Callable[[FederationFolder], object], words: str
) -> None:
    key = joined(federation, tmp_path)
    assert federation.knows(public_pem(key.public_key()))
    change(federation)
    assert not federation.knows(public_pem(key.public_key()))
    with pytest.raises(RefusedError, match=words):
        reception(federation).hello(hello(key))


def test_a_stranger_and_another_key_are_refused(federation: FederationFolder, tmp_path: Path) -> None:
    joined(federation, tmp_path)
    with pytest.raises(Exception, match="signature does not fit"):
        reception(federation).hello(hello(new_key()))
    with pytest.raises(Exception, match="no hospital 'zoe'"):
        reception(federation).hello(hello(new_key(), "zoe"))
    with pytest.raises(RefusedError, match="no statement"):
        reception(federation).hello({})


def test_only_what_is_on_offer_can_be_approved(federation: FederationFolder, tmp_path: Path) -> None:
    key, desk = joined(federation, tmp_path), reception(federation)
    federation.offer(Offer("aa", '{"name": "x"}', ["anne"]))
    federation.offer(Offer("bb", '{"name": "y"}', ["mary"]))
    assert [offer["bundle"] for offer in desk.hello(hello(key))["offers"]] == ["aa"]
    desk.approve(signed({"hospital": "anne", "bundle": "aa"}, key))
    with pytest.raises(RefusedError, match="plan bb is not on offer to anne"):
        desk.approve(signed({"hospital": "anne", "bundle": "bb"}, key))
    assert federation.approved("aa") == ["anne"]
    federation.revoke("anne")
    assert federation.approved("aa") == []


@pytest.mark.parametrize("path", ["/v1/control/start-run", "/v1/runtime/get-nodes", "/health", "/docs", "/", "/v1"])
def test_the_outside_door_has_no_control(federation: FederationFolder, path: str) -> None:
    assert _through(federation, path, b"") == 404


def test_the_outside_door_lets_joined_keys_through_to_the_fleet(federation: FederationFolder, tmp_path: Path) -> None:
    from base64 import b64encode

    key = joined(federation, tmp_path)
    shown = b64encode(public_pem(key.public_key()).encode())
    assert _through(federation, "/v1/fleet/pull-messages", shown) == 200
    assert _through(federation, "/v1/fleet/pull-messages", b"") == 403
    assert _through(federation, "/v1/fleet/pull-messages", b"\xff") == 403
    assert (
        _through(federation, "/v1/fleet/pull-messages", b64encode(public_pem(new_key().public_key()).encode())) == 403
    )
    assert _through(federation, "/v1/hospital/hello", b"") == 200


def _through(federation: FederationFolder, path: str, key: bytes) -> int:
    """Status that a request through the outside door gets from an application which answers everything."""
    import asyncio

    from starlette.responses import PlainTextResponse

    from federated.transport.flower_private import FLEET_HTTP_PUBLIC_KEY_HEADER

    statuses: list[int] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse("in")(scope, receive, send)

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "headers": [(FLEET_HTTP_PUBLIC_KEY_HEADER.lower().encode(), key)],
    }
    asyncio.run(PublicPort(inner, federation)(scope, None, send))
    return statuses[0]
