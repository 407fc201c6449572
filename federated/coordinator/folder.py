"""The server's side of a federation: a folder with its certificates, hospitals, offered plans and log.

``federation.json`` holds the addresses, ``tls/`` the certificates, ``hospitals/`` a file a hospital, ``offers/`` the
plans that hospitals are asked to approve, ``approvals/`` their signed answers, ``seen/`` when each last said hello,
``journal.jsonl`` the log.
"""

import json
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from federated.files import put_json, put_secret
from federated.trust.identity import RENEW_DAYS, expires, make_certificates
from federated.trust.journal import Journal
from models.errors import InputError

State = Literal["invited", "joined", "revoked"]


@dataclass(frozen=True)
class Hospital:
    """One hospital, or one department of it: what holds one modality.

    Attributes
    ----------
    name : str
    number : int
        In the order of invitation.
    state : {"invited", "joined", "revoked"}
    kit : str
        Of the last kit made for it.
    enrolment_key : str
        Public key (PEM) of that kit.
    kit_expires : str
    node_key : str
        Public key (PEM) of the hospital's node, which the hospital made itself.
    node : int
        Flower's number of the node.
    joined : str
        When the kit was used.
    """

    name: str
    number: int
    state: State
    kit: str
    enrolment_key: str
    kit_expires: str
    node_key: str = ""
    node: int = 0
    joined: str = ""


@dataclass(frozen=True)
class Offer:
    """A plan that hospitals are asked to approve.

    Attributes
    ----------
    bundle : str
        Hash of plan and code.
    plan : str
        JSON.
    sites : list of str
        Hospitals that it names.
    """

    bundle: str
    plan: str
    sites: list[str]

    @property
    def name(self) -> str:
        """Of the plan."""
        return str(json.loads(self.plan)["name"])


class FederationFolder:
    """Reads and writes the folder; every change goes to the journal first.

    Parameters
    ----------
    path : Path

    Raises
    ------
    InputError
        There is no federation in it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.journal = Journal(self.path / "journal.jsonl")
        self._keys: tuple[int, set[str]] = (0, set())
        try:
            self.settings: dict[str, Any] = json.loads((self.path / "federation.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise InputError(
                f"{path}: no federation there; `fetal-health federate serve --folder {path}` makes one"
            ) from None

    @classmethod
    def create(cls, path: Path, name: str, host: str, port: int, inside_port: int) -> "FederationFolder":
        """A new federation with fresh certificates, or the one that is there."""
        if (path / "federation.json").exists():
            return cls(path)
        path.mkdir(parents=True, exist_ok=True)
        for folder in ("hospitals", "offers", "approvals", "seen"):
            (path / folder).mkdir(exist_ok=True)
        make_certificates(path / "tls", name, host)
        put_secret(path / "superexec.secret", secrets.token_hex(32).encode())
        settings = {"name": name, "host": host, "port": port, "inside_port": inside_port}
        put_json(path / "federation.json", settings)
        made = cls(path)
        made.journal.write("federation.created", name=name, address=made.address)
        return made

    @property
    def name(self) -> str:
        """Of the federation."""
        return str(self.settings["name"])

    @property
    def address(self) -> str:
        """Where hospitals reach it, ``host:port``."""
        return f"{self.settings['host']}:{self.settings['port']}"

    @property
    def inside_address(self) -> str:
        """Where this machine alone reaches the control interface."""
        return f"127.0.0.1:{self.settings['inside_port']}"

    def renew(self) -> None:
        """A fresh certificate for the server, a month before it ends; hospitals notice nothing."""
        if expires(self.path / "tls" / "server.crt") < datetime.now(UTC) + timedelta(days=RENEW_DAYS):
            make_certificates(self.path / "tls", self.name, str(self.settings["host"]))
            self.journal.write("certificate.renewed")

    @property
    def authority(self) -> bytes:
        """The certificate that hospitals trust, PEM."""
        return (self.path / "tls" / "ca.crt").read_bytes()

    def hospitals(self) -> list[Hospital]:
        """All, in the order of invitation."""
        found = [self._read(path) for path in (self.path / "hospitals").glob("*.json")]
        return sorted(found, key=lambda hospital: hospital.number)

    def hospital(self, name: str) -> Hospital:
        """One by name.

        Raises
        ------
        InputError
            There is none.
        """
        path = self.path / "hospitals" / f"{name}.json"
        if not path.exists():
            raise InputError(f"no hospital {name!r}; `fetal-health federate kit create {name}` invites it")
        return self._read(path)

    def _read(self, path: Path) -> Hospital:
        return Hospital(**json.loads(path.read_text(encoding="utf-8")))

    def keep(self, hospital: Hospital, what: str | None = None, **details: Any) -> Hospital:
        """Store a hospital; `what` happened goes to the journal."""
        if what:
            self.journal.write(what, hospital=hospital.name, **details)
        put_json(self.path / "hospitals" / f"{hospital.name}.json", asdict(hospital))
        return hospital

    def knows(self, key: str) -> bool:
        """Whether a public key is that of a hospital which has joined."""
        changed = (self.path / "hospitals").stat().st_mtime_ns
        if changed != self._keys[0]:
            self._keys = changed, {one.node_key for one in self.hospitals() if one.state == "joined"}
        return key in self._keys[1]

    def saw(self, name: str, said: dict[str, Any]) -> None:
        """A node said hello."""
        put_json(self.path / "seen" / f"{name}.json", {"time": now(), **said})

    def seen(self, name: str) -> dict[str, Any]:
        """When a node last said hello, what it holds, the hash of its code; empty if it never did."""
        path = self.path / "seen" / f"{name}.json"
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}

    def revoke(self, name: str) -> Hospital:
        """Shut a hospital out for good; a new kit lets it in again."""
        return self.keep(replace(self.hospital(name), state="revoked"), "hospital.revoked")

    def offer(self, offer: Offer) -> None:
        """Ask the plan's hospitals for their approval; an earlier offer of the same name ends."""
        path = self.path / "offers" / f"{offer.bundle}.json"
        if not path.exists():
            for earlier in (self.path / "offers").glob("*.json"):
                if Offer(**json.loads(earlier.read_text(encoding="utf-8"))).name == offer.name:
                    earlier.unlink()
            self.journal.write("plan.offered", bundle=offer.bundle, sites=offer.sites)
            put_json(path, asdict(offer))

    def offers(self, site: str) -> Iterator[Offer]:
        """What a hospital is asked to approve."""
        for path in sorted((self.path / "offers").glob("*.json")):
            found = Offer(**json.loads(path.read_text(encoding="utf-8")))
            if site in found.sites:
                yield found

    def approve(self, site: str, bundle: str, statement: dict[str, str]) -> None:
        """Keep a hospital's signed approval."""
        path = self.path / "approvals" / bundle / f"{site}.json"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            self.journal.write("plan.approved", hospital=site, bundle=bundle)
            put_json(path, statement)

    def approved(self, bundle: str) -> list[str]:
        """Hospitals that have approved a bundle and may take part."""
        names = {path.stem for path in (self.path / "approvals" / bundle).glob("*.json")}
        return [hospital.name for hospital in self.hospitals() if hospital.name in names and hospital.state == "joined"]


def now() -> str:
    """The time as it is stored."""
    return datetime.now(UTC).isoformat(timespec="seconds")
