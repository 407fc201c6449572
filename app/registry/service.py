"""Registering, promoting and rolling back bundles, and the one in service."""

import os
import shutil
import threading
from pathlib import Path

from sqlalchemy.orm import Session

from app.database import now
from app.registry.store import BundleRow, Deployment, history, latest
from models.bundle import Bundle, shipped
from models.errors import BundleError, FetalHealthError

SHIPPED = "shipped"


def folder_of(row: BundleRow) -> Path:
    """Where the row's files are."""
    return shipped() if row.folder == SHIPPED else Path(row.folder)


def ensure_shipped(session: Session) -> None:
    """Register the shipped bundle, and put it in service if nothing is."""
    if not (shipped() / "manifest.json").exists():
        return
    bundle = Bundle(shipped())
    if session.get(BundleRow, bundle.identifier) is None:
        session.add(
            BundleRow(identifier=bundle.identifier, name=bundle.manifest["name"], folder=SHIPPED, registered_at=now())
        )
        session.flush()
    if latest(session) is None:
        session.add(Deployment(bundle_id=bundle.identifier, at=now(), by="installation", reason="shipped bundle"))
        session.flush()


def register(session: Session, candidate: Path, home: Path, *, run: str | None = None, gate: str = "none") -> BundleRow:
    """Copy a verified bundle into the installation's home and list it.

    Raises
    ------
    BundleError
        It does not match its manifest.
    """
    bundle = Bundle(candidate)
    row = session.get(BundleRow, bundle.identifier)
    if row is not None:
        return row
    target = (home / "bundles" / bundle.identifier).resolve()
    if not target.exists():
        partial = target.with_name(target.name + ".part")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(candidate, partial)
        os.replace(partial, target)
    row = BundleRow(
        identifier=bundle.identifier,
        name=bundle.manifest["name"],
        folder=str(target),
        registered_at=now(),
        run=run,
        gate=gate,
    )
    session.add(row)
    session.flush()
    return row


def promote(session: Session, identifier: str, by: str, reason: str, *, force: bool = False) -> Deployment:
    """Put a bundle in service.

    Raises
    ------
    FetalHealthError
        Unknown, in service already, without a reason, refused by the gate (unless forced), or trained on
        synthetic data while a bundle trained on people serves.
    """
    row = session.get(BundleRow, identifier)
    if row is None:
        raise FetalHealthError(f"no bundle {identifier}")
    current = latest(session)
    if current is not None and current.bundle_id == identifier:
        raise FetalHealthError(f"bundle {identifier} is in service already")
    if not reason.strip():
        raise FetalHealthError("say why: a promotion needs a reason")
    bundle = Bundle(folder_of(row))
    if not force:
        if row.gate == "refused":
            raise FetalHealthError(f"the gate refused bundle {identifier}: it is worse than the plan allows")
        if bundle.synthetic and current is not None and not Bundle(folder_of(current.bundle)).synthetic:
            raise FetalHealthError(
                "this bundle was trained on synthetic data and may not replace one trained on people"
            )
    bundle.warm()
    deployment = Deployment(bundle_id=identifier, at=now(), by=by, reason=reason.strip()[:400])
    session.add(deployment)
    session.flush()
    return deployment


def roll_back(session: Session, by: str, reason: str) -> Deployment:
    """Put the bundle back in service that served before the present one.

    Raises
    ------
    FetalHealthError
        Nothing served before.
    """
    rows = history(session)
    previous = next((row for row in rows[1:] if row.bundle_id != rows[0].bundle_id), None)
    if previous is None:
        raise FetalHealthError("no earlier bundle to go back to")
    return promote(session, previous.bundle_id, by, f"rollback: {reason}", force=True)


class BundleInService:
    """The loaded bundle; looked up at every use, so a promotion is taken up without a restart."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: Bundle | None = None

    def get(self, session: Session) -> Bundle:
        """The bundle of the last deployment.

        Raises
        ------
        BundleError
            None is in service, or it cannot be loaded: nothing is assessed then.
        """
        deployment = latest(session)
        if deployment is None:
            raise BundleError("no bundle is in service")
        with self._lock:
            if self._loaded is None or self._loaded.identifier != deployment.bundle_id:
                self._loaded = Bundle(folder_of(deployment.bundle)).warm()
            return self._loaded
