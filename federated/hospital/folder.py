"""A hospital's folder in a federation: its key, its approvals and its own log.

``site.json`` names the hospital and the federation, ``node.key`` is the key that it made, ``offers/`` holds the
agreements that it was asked to approve, ``approvals.json`` those that it approved, ``journal.jsonl`` its own
hash-chained log, and ``work/`` the folder of its training site.
"""

import json
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from federated.files import write_json_atomic, write_secret
from federated.plan import Plan, plan_from_json
from federated.sites.site import Site, save_site
from federated.trust.agreement import agreement_hash, code_hash, library_versions
from federated.trust.identity import (
    PrivateKey,
    load_private,
    new_key,
    private_pem,
    public_pem,
    signed,
)
from federated.trust.journal import Journal
from federated.trust.kit import Kit, unpack
from models.errors import FetalHealthError, InputError


class JoinError(FetalHealthError):
    """The federation cannot be reached, or does not admit this hospital; the message says why and what to do."""


class UnreachableError(JoinError):
    """The federation does not answer at present; it may answer later."""


class OccupiedError(JoinError):
    """Another node with this hospital's identity is connected."""


class SiteFolder:
    """Reads and writes the folder.

    Parameters
    ----------
    path : Path

    Raises
    ------
    InputError
        The folder holds no hospital.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.journal = Journal(self.path / "journal.jsonl")
        self.session = secrets.token_hex(8)
        try:
            self.about: dict[str, Any] = json.loads((self.path / "site.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise InputError(f"{path}: no site there; `fetal-health federate join KIT` makes one") from None

    @classmethod
    def create(cls, path: Path, kit: Kit, kit_file: Path, site: Site) -> "SiteFolder":
        """Make the hospital's own key and register it with the kit.

        Raises
        ------
        JoinError
            The server cannot be reached or refuses the kit.
        """
        if (path / "site.json").exists():
            raise InputError(f"{path}: a site is there already; start it with `fetal-health federate node {path}`")
        path.mkdir(parents=True, exist_ok=True)
        (path / "offers").mkdir(exist_ok=True)
        (path / "ca.crt").write_bytes(kit.authority)
        key = new_key()
        statement = {
            "hospital": kit.hospital,
            "kit": kit.identifier,
            "node_key": public_pem(key.public_key()),
            "time": _now(),
            "libraries": library_versions(),
        }
        ask(kit.address, path / "ca.crt", "enrol", signed(statement, kit.key))
        write_secret(path / "node.key", private_pem(key))
        save_site(site, path / "work" / str(kit.number))
        unpack(kit_file, path)
        about = {
            "hospital": kit.hospital,
            "federation": kit.federation,
            "address": kit.address,
            "number": kit.number,
            "modality": site.modality,
            "rows": site.rows,
        }
        write_json_atomic(path / "site.json", about)
        folder = cls(path)
        folder.journal.write("joined", federation=kit.federation, address=kit.address, kit=kit.identifier)
        return folder

    @property
    def name(self) -> str:
        """Name of the hospital."""
        return str(self.about["hospital"])

    @property
    def key(self) -> PrivateKey:
        """The private key that the hospital signs with."""
        return load_private((self.path / "node.key").read_bytes())

    def hello(self, *, arriving: bool = False, leaving: bool = False) -> list[str]:
        """Tell the server that this node arrives, is connected, or leaves; store the offers that it answers with.

        Returns
        -------
        list of str
            Hashes of offered agreements that are not approved.

        Raises
        ------
        JoinError
            The server was not reached, or it refused.
        """
        statement = {
            "hospital": self.name,
            "time": _now(),
            "libraries": library_versions(),
            "session": self.session,
            "modality": self.about["modality"],
            "rows": self.about["rows"],
            "code": code_hash(),
            "arriving": arriving,
            "leaving": leaving,
        }
        answer = ask(str(self.about["address"]), self.path / "ca.crt", "hello", signed(statement, self.key))
        approved = self.approvals()
        waiting = []
        for offer in answer["offers"]:
            agreement = str(offer["bundle"])  # messages and files keep the key of earlier releases
            path = self.path / "offers" / f"{agreement}.json"
            if not path.exists():
                try:
                    plan = plan_from_json(offer["plan"])
                except ValueError:
                    continue  # a plan of another release: its hash could not be approved here either
                path.write_text(plan.model_dump_json(indent=1), encoding="utf-8")
                self.journal.write("plan.offered", plan=plan.name, bundle=agreement)
            if agreement not in approved:
                waiting.append(agreement)
            elif not approved[agreement].get("told"):
                self._send_approval(agreement)
        return waiting

    def offer(self, agreement: str) -> tuple[str, Plan]:
        """The full hash and the plan of an offered agreement, given the hash or its beginning.

        Raises
        ------
        InputError
            No offer begins like this, or several do.
        """
        paths = [path for path in (self.path / "offers").glob("*.json") if path.stem.startswith(agreement)]
        if len(paths) != 1:
            raise InputError(f"{len(paths)} offered plans begin with {agreement!r}")
        return paths[0].stem, plan_from_json(paths[0].read_text(encoding="utf-8"))

    def approvals(self) -> dict[str, dict[str, Any]]:
        """Approved agreements by hash."""
        path = self.path / "approvals.json"
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}

    def approve(self, agreement: str, person: str) -> Plan:
        """Approve a plan together with the code that is installed here.

        Raises
        ------
        InputError
            The hash does not belong to the offered plan and this code: it was made for other code, or changed.
        """
        full, plan = self.offer(agreement)
        if agreement_hash(plan) != full:
            raise InputError(
                f"plan {full[:12]} was offered for other code than is installed here ({code_hash()[:12]}): install the "
                "federation's release, or ask its operator to offer the plan again"
            )
        self.journal.write("plan.approved", plan=plan.name, bundle=full, code=code_hash(), by=person)
        self._save_approvals({**self.approvals(), full: {"plan": plan.name, "by": person, "time": _now()}})
        self._send_approval(full)
        return plan

    def withdraw(self, agreement: str, person: str) -> None:
        """Withdraw an approval: from now on this hospital answers no message of such a run."""
        full, plan = self.offer(agreement)
        self.journal.write("plan.withdrawn", plan=plan.name, bundle=full, by=person)
        self._save_approvals({name: entry for name, entry in self.approvals().items() if name != full})

    def _send_approval(self, agreement: str) -> None:
        statement = {"hospital": self.name, "time": _now(), "bundle": agreement}
        ask(str(self.about["address"]), self.path / "ca.crt", "approve", signed(statement, self.key))
        approvals = self.approvals()
        approvals[agreement]["told"] = True
        self._save_approvals(approvals)

    def _save_approvals(self, approvals: dict[str, dict[str, Any]]) -> None:
        write_json_atomic(self.path / "approvals.json", approvals)

    def approved_plan(self, agreement: str) -> Plan | None:
        """The plan of an approved agreement, if plan and installed code still have this hash."""
        if agreement not in self.approvals():
            return None
        _, plan = self.offer(agreement)
        return plan if agreement_hash(plan) == agreement else None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def ask(address: str, authority: Path, request: str, statement: dict[str, str]) -> dict[str, Any]:
    """Send a request with a signed statement to the federation's server.

    Raises
    ------
    JoinError
        The server was not reached, its certificate is not the federation's, or it refused.
    """
    import ssl

    context = ssl.create_default_context(cafile=str(authority))
    url = f"https://{address}/v1/hospital/{request}"
    try:
        response = httpx.post(url, json=statement, verify=context, timeout=15)
    except httpx.ConnectError as error:
        raise _why_not(address, str(error)) from None
    except httpx.HTTPError as error:
        raise UnreachableError(
            f"the federation at {address} does not answer ({type(error).__name__}); is it running?"
        ) from None
    if response.status_code >= 500:
        raise UnreachableError(f"the federation at {address} answers with an error ({response.status_code})")
    try:
        content = response.json()
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise JoinError(f"what answers at {address} is no federation of this kind")
    if response.status_code != 200:
        kind = OccupiedError if response.status_code == 409 else JoinError
        raise kind(str(content.get("error", f"refused with {response.status_code}")))
    return content


def _why_not(address: str, words: str) -> JoinError:
    if "expired" in words:
        return JoinError(f"the certificate of {address} has expired: the server renews it when it is started again")
    if "CERTIFICATE" in words.upper():
        return JoinError(
            f"the certificate of {address} is not of the federation that made this kit: check the address or the kit"
        )
    return UnreachableError(
        f"the federation at {address} cannot be reached: is it running, does the firewall let this machine out?"
    )
