"""A hospital's side of a federation: a folder with its key, its approvals, its own log.

``site.json`` says who it is and where its data are, ``node.key`` is the key that it made, ``offers/`` what it was asked
to approve, ``approvals.json`` what it approved, ``journal.jsonl`` its own hash-chained log, ``work/`` its site folder.
"""

import json
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from federated.files import put_json, put_secret
from federated.plan import Plan
from federated.sites import data
from federated.sites.data import Site
from federated.trust.agreement import bundle_hash, code_hash, library_versions
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
    """The federation cannot be reached, or does not let this hospital in; the message says why and what to do."""


class UnreachableError(JoinError):
    """The federation does not answer now; it may later."""


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
        No site there.
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
        said = {
            "hospital": kit.hospital,
            "kit": kit.identifier,
            "node_key": public_pem(key.public_key()),
            "time": _now(),
            "libraries": library_versions(),
        }
        ask(kit.address, path / "ca.crt", "enrol", signed(said, kit.key))
        put_secret(path / "node.key", private_pem(key))
        data.keep(site, path / "work" / str(kit.number))
        unpack(kit_file, path)
        about = {
            "hospital": kit.hospital,
            "federation": kit.federation,
            "address": kit.address,
            "number": kit.number,
            "modality": site.modality,
            "rows": site.rows,
        }
        put_json(path / "site.json", about)
        made = cls(path)
        made.journal.write("joined", federation=kit.federation, address=kit.address, kit=kit.identifier)
        return made

    @property
    def name(self) -> str:
        """Of the hospital."""
        return str(self.about["hospital"])

    @property
    def key(self) -> PrivateKey:
        """That it signs with."""
        return load_private((self.path / "node.key").read_bytes())

    def hello(self, *, arriving: bool = False, leaving: bool = False) -> list[str]:
        """Say that this node comes, is there, or goes; keep what is on offer. Hashes of offers that are not approved.

        Raises
        ------
        JoinError
            Not reached, or refused.
        """
        said = {
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
        answer = ask(str(self.about["address"]), self.path / "ca.crt", "hello", signed(said, self.key))
        approved = self.approvals()
        waiting = []
        for offer in answer["offers"]:
            bundle = str(offer["bundle"])
            path = self.path / "offers" / f"{bundle}.json"
            if not path.exists():
                try:
                    plan = Plan.model_validate_json(offer["plan"])
                except ValueError:
                    continue  # a plan of another release: its hash could not be approved here either
                path.write_text(plan.model_dump_json(indent=1), encoding="utf-8")
                self.journal.write("plan.offered", plan=plan.name, bundle=bundle)
            if bundle not in approved:
                waiting.append(bundle)
            elif not approved[bundle].get("told"):
                self._tell(bundle)
        return waiting

    def offer(self, bundle: str) -> tuple[str, Plan]:
        """An offered plan by its hash or the beginning of it.

        Raises
        ------
        InputError
            None or several.
        """
        found = [path for path in (self.path / "offers").glob("*.json") if path.stem.startswith(bundle)]
        if len(found) != 1:
            raise InputError(f"{len(found)} offered plans begin with {bundle!r}")
        return found[0].stem, Plan.model_validate_json(found[0].read_text(encoding="utf-8"))

    def approvals(self) -> dict[str, dict[str, Any]]:
        """Approved bundles by hash."""
        path = self.path / "approvals.json"
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}

    def approve(self, bundle: str, person: str) -> Plan:
        """Approve a plan together with the code that is installed here.

        Raises
        ------
        InputError
            The hash does not belong to the offered plan and this code: it was made for other code, or changed.
        """
        full, plan = self.offer(bundle)
        if bundle_hash(plan) != full:
            raise InputError(
                f"plan {full[:12]} was offered for other code than is installed here ({code_hash()[:12]}): install the "
                "federation's release, or ask its operator to offer the plan again"
            )
        self.journal.write("plan.approved", plan=plan.name, bundle=full, code=code_hash(), by=person)
        self._keep_approvals({**self.approvals(), full: {"plan": plan.name, "by": person, "time": _now()}})
        self._tell(full)
        return plan

    def withdraw(self, bundle: str, person: str) -> None:
        """Take an approval back: from now on nothing of this plan is answered."""
        full, plan = self.offer(bundle)
        self.journal.write("plan.withdrawn", plan=plan.name, bundle=full, by=person)
        self._keep_approvals({name: entry for name, entry in self.approvals().items() if name != full})

    def _tell(self, bundle: str) -> None:
        said = {"hospital": self.name, "time": _now(), "bundle": bundle}
        ask(str(self.about["address"]), self.path / "ca.crt", "approve", signed(said, self.key))
        approvals = self.approvals()
        approvals[bundle]["told"] = True
        self._keep_approvals(approvals)

    def _keep_approvals(self, approvals: dict[str, dict[str, Any]]) -> None:
        put_json(self.path / "approvals.json", approvals)

    def may_run(self, bundle: str) -> Plan | None:
        """The approved plan of a bundle, if plan and installed code still give this hash."""
        if bundle not in self.approvals():
            return None
        _, plan = self.offer(bundle)
        return plan if bundle_hash(plan) == bundle else None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def ask(address: str, authority: Path, question: str, statement: dict[str, str]) -> dict[str, Any]:
    """Ask the federation's reception.

    Raises
    ------
    JoinError
        Not reached, a certificate that is not the federation's, or refused.
    """
    import ssl

    context = ssl.create_default_context(cafile=str(authority))
    url = f"https://{address}/v1/hospital/{question}"
    try:
        answer = httpx.post(url, json=statement, verify=context, timeout=15)
    except httpx.ConnectError as error:
        raise _why_not(address, str(error)) from None
    except httpx.HTTPError as error:
        raise UnreachableError(
            f"the federation at {address} does not answer ({type(error).__name__}); is it running?"
        ) from None
    if answer.status_code >= 500:
        raise UnreachableError(f"the federation at {address} answers with an error ({answer.status_code})")
    try:
        told = answer.json()
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise JoinError(f"what answers at {address} is no federation of this kind")
    if answer.status_code != 200:
        kind = OccupiedError if answer.status_code == 409 else JoinError
        raise kind(str(told.get("error", f"refused with {answer.status_code}")))
    return told


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
