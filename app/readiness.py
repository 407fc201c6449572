"""Whether an installation can serve: its database takes a write, its disk takes a file, and its bundle is whole."""

import os
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from app.bundles.service import BundleRegistry
from app.errors import Problem, of_storage
from app.orm import BUSY_MS
from app.transactions import begin_writing
from models.errors import FetalHealthError

WAIT_MS = 1000
PROBE_BYTES = 64 * 1024


def hindrance(sessions: sessionmaker[Session], bundles: BundleRegistry) -> str:
    """Why nothing can be assessed and stored at this moment, in one line; empty where all is well."""
    try:
        _write_file(bundles.home)
        with sessions() as session:
            if session.get_bind().dialect.name == "sqlite":
                session.execute(text(f"PRAGMA busy_timeout={WAIT_MS}"))
                begin_writing(session)
                session.rollback()
                session.execute(text(f"PRAGMA busy_timeout={BUSY_MS}"))
            else:
                session.execute(text("SELECT 1"))
            bundles.in_service(session)
    except FetalHealthError as error:
        return str(error)
    except (SQLAlchemyError, OSError) as error:
        translated = of_storage(error)
        return str(translated.detail) if isinstance(translated, Problem) else str(error).splitlines()[0]
    return ""


def _write_file(home: Path) -> None:
    """Write and remove a small file, as an assessment needs room for."""
    path = home / f".probe.{os.getpid()}"
    try:
        with path.open("wb") as handle:
            handle.write(b"\0" * PROBE_BYTES)
            handle.flush()
            os.fsync(handle.fileno())
    finally:
        path.unlink(missing_ok=True)
