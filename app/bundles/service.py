"""Registering, promoting and rolling back bundles, and the one in service."""

import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from app.bundles.store import BundleFile, BundleRow, Deployment, history, latest
from app.files import write_folder
from app.orm import now
from app.transactions import hold_installation
from models.bundle import MANIFEST, Bundle, shipped
from models.errors import BundleError, FetalHealthError


class BundleRegistry:
    """The bundles of one installation, each in ``bundles/IDENTIFIER`` of its home.

    The bundle in service is looked up at every use, so a promotion takes effect without a restart. It stays
    loaded between uses.

    Parameters
    ----------
    home : Path
    sessions : sessionmaker or None
        Where the files of bundles are fetched that another server on the same database registered.
    """

    def __init__(self, home: Path, sessions: sessionmaker[Session] | None = None) -> None:
        self.home = home.resolve()
        self._sessions = sessions
        self._lock = threading.Lock()
        self._verified: Bundle | None = None

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
        if not self.folder(identifier).exists() and self._sessions is not None:
            self._fetch(identifier)
        bundle = Bundle(self.folder(identifier))
        if bundle.identifier != identifier:
            raise BundleError(f"the folder of bundle {identifier} holds another bundle")
        return bundle

    def _fetch(self, identifier: str) -> None:
        """Bring a bundle that another server registered from the database into this home."""
        assert self._sessions is not None
        with self._sessions() as session:
            files = session.execute(
                select(BundleFile.name, BundleFile.content).where(BundleFile.bundle_id == identifier)
            )
            contents = {row.name: row.content for row in files}
        if contents:
            self._place(identifier, contents)

    def _place(self, identifier: str, contents: Mapping[str, bytes]) -> None:
        if not self.folder(identifier).exists():
            write_folder(self.folder(identifier), contents)

    def ensure_shipped(self, session: Session) -> None:
        """Register the bundle of the package, and put it in service if nothing is."""
        if not (shipped() / MANIFEST).exists():
            return
        self._share(session)
        row = self.register(session, shipped())
        if latest(session) is None:
            session.add(Deployment(bundle_id=row.identifier, at=now(), by="installation", reason="shipped bundle"))
            session.flush()

    def _share(self, session: Session) -> None:
        """Store the files of bundles that an earlier release registered, for other servers."""
        with_files = select(BundleFile.bundle_id).distinct()
        for row in session.scalars(select(BundleRow).where(BundleRow.identifier.not_in(with_files))):
            with suppress(BundleError, OSError):
                bundle = self.open(row.identifier)
                session.add_all(_files(row.identifier, _contents(bundle)))

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
        contents = _contents(bundle)
        self._place(bundle.identifier, contents)
        row = BundleRow(
            identifier=bundle.identifier,
            name=bundle.manifest["name"],
            registered_at=now(),
            run=run,
            gate=gate,
        )
        session.add(row)
        session.flush()
        session.add_all(_files(bundle.identifier, contents))
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
        hold_installation(session)
        row = session.get(BundleRow, identifier)
        if row is None:
            raise FetalHealthError(f"no bundle {identifier}")
        current = latest(session)
        if current is not None and current.bundle_id == identifier:
            raise FetalHealthError(
                f"bundle {identifier} is in service already: {current.by} promoted it, {current.at:%Y-%m-%d %H:%M}"
            )
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
        hold_installation(session)
        rows = history(session)
        previous = next((row for row in rows[1:] if row.bundle_id != rows[0].bundle_id), None)
        if previous is None:
            raise FetalHealthError("no earlier bundle to go back to")
        return self.promote(session, previous.bundle_id, by, f"rollback: {reason}", force=True)

    def preload(self, sessions: sessionmaker[Session]) -> bool:
        """Load the bundle in service, if there is one that can be loaded; True where it was not loaded before."""
        before = self._verified
        with suppress(BundleError), sessions() as session:
            return self.get(session) is not before
        return False

    def in_service(self, session: Session) -> Bundle:
        """The bundle of the last deployment, verified but not loaded.

        Raises
        ------
        BundleError
            None is in service, or its files are missing or changed.
        """
        deployment = latest(session)
        if deployment is None:
            raise BundleError("no bundle is in service")
        return self.verified(deployment.bundle_id)

    def verified(self, identifier: str) -> Bundle:
        """A registered bundle, verified once and kept; raises as `open`."""
        if self._verified is None or self._verified.identifier != identifier:
            self._verified = self.open(identifier)
        return self._verified

    def get(self, session: Session) -> Bundle:
        """The bundle of the last deployment, loaded.

        Raises
        ------
        BundleError
            None is in service, or it cannot be loaded. Nothing is assessed then.
        """
        with self._lock:
            return self.in_service(session).warm()


def _contents(bundle: Bundle) -> dict[str, bytes]:
    return {name: (bundle.folder / name).read_bytes() for name in (MANIFEST, *bundle.present_files)}


def _files(identifier: str, contents: Mapping[str, bytes]) -> list[BundleFile]:
    return [BundleFile(bundle_id=identifier, name=name, content=content) for name, content in contents.items()]
