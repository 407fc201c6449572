"""Migrating an installation that may hold records: a backup comes first."""

from pathlib import Path

from sqlalchemy import inspect, text

from app.backups.archive import backup
from app.database import make_engine, migrate
from app.orm import now
from app.schema import revision_of, revisions
from app.settings import Settings


def upgrade(settings: Settings, revision: str = "head", *, with_backup: bool = True) -> Path | None:
    """Bring the schema to a revision; returns the archive that was written before, if one was.

    A backup is written into ``backups`` of the home where women are stored and the schema will change.

    Raises
    ------
    FetalHealthError
        The backup could not be written, or the migration failed; nothing was changed.
    """
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = make_engine(settings.database)
    try:
        archive = None
        with engine.connect() as connection:
            present = revision_of(connection)
            target = revisions()[-1] if revision == "head" else revision
            has_women = inspect(connection).has_table("woman")
            is_filled = has_women and connection.scalar(text("SELECT 1 FROM woman LIMIT 1")) is not None
        if with_backup and present is not None and present != target and is_filled:
            folder = settings.home / "backups"
            folder.mkdir(mode=0o700, exist_ok=True)
            archive = folder / f"before-{target}-{now():%Y%m%d-%H%M%S}.tar.gz"
            backup(settings, archive)
        migrate(engine, revision)
        return archive
    finally:
        engine.dispose()
