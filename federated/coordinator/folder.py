"""The coordinator's folder of a federation: its certificates, hospitals, offered agreements and log.

``federation.json`` holds the addresses, ``tls/`` the certificates, ``hospitals/`` a file for each hospital, ``offers/``
the agreements that hospitals are asked to approve, ``approvals/`` their signed approvals, ``seen/`` the last hello of
each node, and ``journal.jsonl`` the log.
"""

import json
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from federated.files import write_json_atomic, write_secret
from federated.trust.identity import RENEW_DAYS, expires, make_certificates
from federated.trust.journal import Journal
from models.errors import InputError

State = Literal["invited", "joined", "revoked"]


@dataclass(frozen=True)
class Hospital:
    """One hospital, or one department of it; it has data of one modality.

    Attributes
    ----------
    name : str
    number : int
        Place in the order of invitation.
    state : {"invited", "joined", "revoked"}
    kit : str
        Identifier of the last kit that was made for it.
    enrolment_key : str
        Public key (PEM) of that kit.
    kit_expires : str
        Time in ISO 8601.
    node_key : str
        Public key (PEM) of the hospital's node. The hospital has made the key itself.
    node : int
        Flower's number of the node; 0 before it has joined.
    joined : str
        Time at which the kit was used, in ISO 8601.
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
    """An agreement that hospitals are asked to approve.

    Attributes
    ----------
    agreement : str
        Its hash. Files and messages name it "bundle", as in earlier releases.
    plan : str
        The plan as JSON.
    sites : list of str
        Hospitals that the plan names.
    """

    agreement: str
    plan: str
    sites: list[str]

    @property
    def name(self) -> str:
        """Name of the plan."""
        return str(json.loads(self.plan)["name"])

    @classmethod
    def read(cls, path: Path) -> "Offer":
        """Read the file of an offer."""
        stored = json.loads(path.read_text(encoding="utf-8"))
        return cls(stored["bundle"], stored["plan"], stored["sites"])

    def write(self, path: Path) -> None:
        """Inverse of `read`."""
        write_json_atomic(path, {"bundle": self.agreement, "plan": self.plan, "sites": self.sites})


class FederationFolder:
    """Reads and writes the folder; every change is written to the journal first.

    Parameters
    ----------
    path : Path

    Raises
    ------
    InputError
        The folder holds no federation.
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
        """Make a federation with fresh certificates, or open the one that is already in the folder."""
        if (path / "federation.json").exists():
            return cls(path)
        path.mkdir(parents=True, exist_ok=True)
        for folder in ("hospitals", "offers", "approvals", "seen"):
            (path / folder).mkdir(exist_ok=True)
        make_certificates(path / "tls", name, host)
        write_secret(path / "superexec.secret", secrets.token_hex(32).encode())
        settings = {"name": name, "host": host, "port": port, "inside_port": inside_port}
        write_json_atomic(path / "federation.json", settings)
        federation = cls(path)
        federation.journal.write("federation.created", name=name, address=federation.address)
        return federation

    @property
    def name(self) -> str:
        """Name of the federation."""
        return str(self.settings["name"])

    @property
    def address(self) -> str:
        """Address at which hospitals reach the server, ``host:port``."""
        return f"{self.settings['host']}:{self.settings['port']}"

    @property
    def inside_address(self) -> str:
        """Address of the internal port, which only this machine reaches."""
        return f"127.0.0.1:{self.settings['inside_port']}"

    def renew(self) -> None:
        """Renew the server's certificate in the last month before it expires; hospitals need do nothing."""
        if expires(self.path / "tls" / "server.crt") < datetime.now(UTC) + timedelta(days=RENEW_DAYS):
            make_certificates(self.path / "tls", self.name, str(self.settings["host"]))
            self.journal.write("certificate.renewed")

    @property
    def authority(self) -> bytes:
        """The certificate of the authority that hospitals trust, PEM."""
        return (self.path / "tls" / "ca.crt").read_bytes()

    def hospitals(self) -> list[Hospital]:
        """All hospitals, in the order of invitation."""
        hospitals = [self._read(path) for path in (self.path / "hospitals").glob("*.json")]
        return sorted(hospitals, key=lambda hospital: hospital.number)

    def hospital(self, name: str) -> Hospital:
        """The hospital of this name.

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

    def save_hospital(self, hospital: Hospital, event: str, **details: Any) -> Hospital:
        """Write the event and its details to the journal, then store the hospital."""
        self.journal.write(event, hospital=hospital.name, **details)
        write_json_atomic(self.path / "hospitals" / f"{hospital.name}.json", asdict(hospital))
        return hospital

    def knows(self, key: str) -> bool:
        """Whether this is the public key of a hospital that has joined."""
        changed = (self.path / "hospitals").stat().st_mtime_ns
        if changed != self._keys[0]:
            self._keys = changed, {hospital.node_key for hospital in self.hospitals() if hospital.state == "joined"}
        return key in self._keys[1]

    def record_hello(self, name: str, statement: dict[str, Any]) -> None:
        """Store the time of a node's hello, and what it stated."""
        write_json_atomic(self.path / "seen" / f"{name}.json", {"time": now(), **statement})

    def seen(self, name: str) -> dict[str, Any]:
        """Time of a node's last hello, its rows, and the hash of its code; empty if it never said hello."""
        path = self.path / "seen" / f"{name}.json"
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}

    def revoke(self, name: str) -> Hospital:
        """Exclude a hospital; only a new kit admits it again."""
        return self.save_hospital(replace(self.hospital(name), state="revoked"), "hospital.revoked")

    def offer(self, offer: Offer) -> None:
        """Ask the plan's hospitals for their approval; this ends an earlier offer of a plan with the same name."""
        path = self.path / "offers" / f"{offer.agreement}.json"
        if not path.exists():
            for earlier in (self.path / "offers").glob("*.json"):
                if Offer.read(earlier).name == offer.name:
                    earlier.unlink()
            self.journal.write("plan.offered", bundle=offer.agreement, sites=offer.sites)
            offer.write(path)

    def offers(self, hospital: str) -> Iterator[Offer]:
        """The agreements that a hospital is asked to approve."""
        for path in sorted((self.path / "offers").glob("*.json")):
            offer = Offer.read(path)
            if hospital in offer.sites:
                yield offer

    def save_approval(self, hospital: str, agreement: str, statement: dict[str, str]) -> None:
        """Store a hospital's signed approval."""
        path = self.path / "approvals" / agreement / f"{hospital}.json"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            self.journal.write("plan.approved", hospital=hospital, bundle=agreement)
            write_json_atomic(path, statement)

    def approved(self, agreement: str) -> list[str]:
        """Hospitals that have approved an agreement and may take part."""
        names = {path.stem for path in (self.path / "approvals" / agreement).glob("*.json")}
        return [hospital.name for hospital in self.hospitals() if hospital.name in names and hospital.state == "joined"]


def now() -> str:
    """The present time, as it is stored."""
    return datetime.now(UTC).isoformat(timespec="seconds")
