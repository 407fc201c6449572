"""Registering, promoting and rolling back bundles, and the one in service."""

import os
import shutil
import threading
from pathlib import Path

from sqlalchemy.orm import Session

from app.bundles.store import BundleRow, Deployment, history, latest
from app.orm import now
from models.bundle import MANIFEST, Bundle, shipped
from models.errors import BundleError, FetalHealthError


class BundleRegistry:
    """The bundles of one installation, each in ``bundles/IDENTIFIER`` of its home.

    The bundle in service is looked up at every use, so a promotion takes effect without a restart. It stays
    loaded between uses.

    Parameters
    ----------
    home : Path
    """

    def __init__(self, home: Path) -> None:
        self.home = home.resolve()
        self._lock = threading.Lock()
        self._loaded: Bundle | None = None

    def folder(self, identifier: str) -> Path:
        """The folder of a registered bundle."""
        return self.home / "bundles" / identifier

    def open(self, identifier: str) -> Bundle:
        """A registered bundle, verified.

        Raises
        ------
        BundleError
            Its files are missing or changed.
        """
        bundle = Bundle(self.folder(identifier))
        if bundle.identifier != identifier:
            raise BundleError(f"the folder of bundle {identifier} holds another bundle")
        return bundle

    def ensure_shipped(self, session: Session) -> None:
        """Register the bundle of the package, and put it in service if nothing is."""
        if not (shipped() / MANIFEST).exists():
            return
        row = self.register(session, shipped())
        if latest(session) is None:
            session.add(Deployment(bundle_id=row.identifier, at=now(), by="installation", reason="shipped bundle"))
            session.flush()

    def register(self, session: Session, source: Path, *, run: str | None = None, gate: str = "none") -> BundleRow:
        """Copy a verified bundle into the installation's home and list it.

        Raises
        ------
        BundleError
            It does not match its manifest.
        """
        bundle = Bundle(source)
        row = session.get(BundleRow, bundle.identifier)
        if row is not None:
            return row
        target = self.folder(bundle.identifier)
        if not target.exists():
            partial = target.with_name(target.name + ".part")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            for name in (MANIFEST, *bundle.present_files):
                shutil.copyfile(source / name, partial / name)
            os.replace(partial, target)
        row = BundleRow(
            identifier=bundle.identifier, name=bundle.manifest["name"], registered_at=now(), run=run, gate=gate
        )
        session.add(row)
        session.flush()
        return row

    def promote(self, session: Session, identifier: str, by: str, reason: str, *, force: bool = False) -> Deployment:
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
            raise FetalHealthError("a promotion needs a reason")
        bundle = self.open(identifier)
        if not force:
            if row.gate == "refused":
                raise FetalHealthError(f"the gate refused bundle {identifier}: it is worse than the plan allows")
            if bundle.synthetic and current is not None and not self.open(current.bundle_id).synthetic:
                raise FetalHealthError("trained on synthetic data, it may not replace a bundle trained on people")
        bundle.warm()
        deployment = Deployment(bundle_id=identifier, at=now(), by=by, reason=reason.strip()[:400])
        session.add(deployment)
        session.flush()
        return deployment

    def roll_back(self, session: Session, by: str, reason: str) -> Deployment:
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
        return self.promote(session, previous.bundle_id, by, f"rollback: {reason}", force=True)

    def get(self, session: Session) -> Bundle:
        """The bundle of the last deployment, loaded.

        Raises
        ------
        BundleError
            None is in service, or it cannot be loaded. Nothing is assessed then.
        """
        deployment = latest(session)
        if deployment is None:
            raise BundleError("no bundle is in service")
        with self._lock:
            if self._loaded is None or self._loaded.identifier != deployment.bundle_id:
                self._loaded = self.open(deployment.bundle_id).warm()
            return self._loaded
