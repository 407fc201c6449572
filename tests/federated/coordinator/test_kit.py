"""Kits and the federation's folder."""

import json
import random
import zipfile
from pathlib import Path

import pytest

from federated.coordinator import kit
from federated.coordinator.folder import FederationFolder, Offer
from federated.trust import kit as kits
from federated.trust.identity import public_pem
from models.errors import InputError


@pytest.fixture
def federation(tmp_path: Path) -> FederationFolder:
    return FederationFolder.create(tmp_path / "fed", "north", "127.0.0.1", 9443, 9444)


def test_a_kit_says_where_and_who_and_whom_to_trust(federation: FederationFolder, tmp_path: Path) -> None:
    path = kit.create(federation, "st-anne", tmp_path)
    found = kits.read(path)
    assert (found.hospital, found.address, found.authority) == ("st-anne", "127.0.0.1:9443", federation.authority)
    assert federation.hospital("st-anne").enrolment_key == public_pem(found.key.public_key())
    assert federation.hospital("st-anne").state == "invited"
    assert path.stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(path) as archive:
        unit = archive.read("fetal-health-node.service").decode()
        assert "federate node /var/lib/fetal-health/st-anne" in unit
        assert "ports" not in archive.read("compose.yaml").decode()
        assert b"BEGIN PRIVATE KEY" not in b"".join(archive.read(n) for n in archive.namelist() if n != "enrolment.key")


@pytest.mark.parametrize("name", ["", "St Anne", "../x", "a" * 60, "ä"])
def test_a_name_that_cannot_be_used_is_refused(federation: FederationFolder, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="lower-case letters"):
        kit.create(federation, name, tmp_path)


def test_what_is_no_kit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.kit").write_bytes(b"no zip")
    with zipfile.ZipFile(tmp_path / "b.kit", "w") as archive:
        archive.writestr("kit.json", "[]")
    for name in ("a.kit", "b.kit", "none.kit"):
        with pytest.raises(InputError, match="no kit; ask the federation's operator"):
            kits.read(tmp_path / name)


def test_hospitals_are_numbered_and_a_new_kit_keeps_the_number(federation: FederationFolder, tmp_path: Path) -> None:
    for name in ("b", "a"):
        kit.create(federation, name, tmp_path)
    federation.revoke("b")
    again = kits.read(kit.create(federation, "b", tmp_path))
    assert again.number == 0
    assert [(one.name, one.state) for one in federation.hospitals()] == [("b", "invited"), ("a", "invited")]
    with pytest.raises(InputError, match="no hospital 'c'"):
        federation.hospital("c")
    with pytest.raises(InputError, match="federate serve"):
        FederationFolder(tmp_path / "nowhere")


def test_an_offer_ends_when_the_plan_is_offered_anew(federation: FederationFolder) -> None:
    federation.offer(Offer("aa", '{"name": "x"}', ["anne"]))
    federation.offer(Offer("bb", '{"name": "y"}', ["anne", "mary"]))
    federation.offer(Offer("cc", '{"name": "x"}', ["anne"]))
    assert [offer.agreement for offer in federation.offers("anne")] == ["bb", "cc"]
    assert [offer.agreement for offer in federation.offers("mary")] == ["bb"]
    assert [line["what"] for line in federation.journal.lines()][1:] == ["plan.offered"] * 3


def test_a_damaged_kit_is_refused_in_one_line(federation: FederationFolder, tmp_path: Path) -> None:
    good = kit.create(federation, "anne", tmp_path / "kits").read_bytes()
    damaged = tmp_path / "damaged.kit"
    chance = random.Random(2)
    refused: list[str] = []
    for _ in range(400):
        content = bytearray(good)
        for _ in range(chance.choice((1, 3, 20))):
            content[chance.randrange(len(content))] = chance.randrange(256)
        damaged.write_bytes(bytes(content[: chance.choice((len(content), chance.randrange(len(content))))]))
        try:
            kits.read(damaged)
        except InputError as error:
            refused.append(str(error))
    assert len(refused) > 300
    assert all("no kit" in line for line in refused)


@pytest.mark.parametrize(
    "change",
    [
        {"hospital": "../../evil"},
        {"hospital": "a\x00b"},
        {"number": "1"},
        {"number": 10**9},
        {"number": True},
        {"address": ["x"]},
        {"surplus": 1},
        {"federation": "x" * 2**21},
    ],
)
def test_a_kit_with_hostile_values_is_refused(
    federation: FederationFolder, tmp_path: Path, change: dict[str, object]
) -> None:
    good = kit.create(federation, "anne", tmp_path / "kits")
    hostile = tmp_path / "hostile.kit"
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(hostile, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "kit.json":
                content = json.dumps(json.loads(content) | change).encode()
            target.writestr(name, content)
    with pytest.raises(InputError, match="no kit"):
        kits.read(hostile)
