"""Backup and restore of an installation: database and registered bundles in one archive.

SQLite is copied with its own backup call while the application runs. A PostgreSQL database is backed
up with its own tools (``pg_dump``); the command says so.
"""

import shutil
import sqlite3
import tarfile
import tempfile
from pathlib import Path

from app.settings import Settings
from models.errors import FetalHealthError

DATABASE = "fetal-health.db"


def _sqlite(settings: Settings) -> Path:
    if settings.database_url and not settings.database_url.startswith("sqlite:///"):
        raise FetalHealthError(
            "this installation uses PostgreSQL: back the database up with pg_dump, and copy bundles/"
        )
    return Path(settings.database.removeprefix("sqlite:///"))


def backup(settings: Settings, archive: Path) -> None:
    """Write database and bundles into an archive.

    Raises
    ------
    FetalHealthError
        There is no database, or the archive exists already.
    """
    database = _sqlite(settings)
    if not database.exists():
        raise FetalHealthError(f"no database at {database}")
    if archive.exists():
        raise FetalHealthError(f"{archive} exists already")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / DATABASE
        source, target = sqlite3.connect(database), sqlite3.connect(copy)
        try:
            source.backup(target)
        finally:
            source.close()
            target.close()
        partial = archive.with_name(archive.name + ".part")
        with tarfile.open(partial, "w:gz") as tar:
            tar.add(copy, DATABASE)
            bundles = settings.home / "bundles"
            if bundles.exists():
                tar.add(bundles, "bundles")
        partial.replace(archive)


def restore(settings: Settings, archive: Path) -> None:
    """Restore an archive into an empty home.

    Raises
    ------
    FetalHealthError
        There is a database already, or the archive is not a backup of this application.
    """
    database = _sqlite(settings)
    if database.exists():
        raise FetalHealthError(f"{database} exists; restore into an empty home (set FETAL_HEALTH_HOME)")
    settings.home.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=settings.home) as folder:
            with tarfile.open(archive, "r:gz") as tar:
                tar.extractall(folder, filter="data")
            content = Path(folder)
            check = sqlite3.connect(content / DATABASE)
            try:
                (verdict,) = check.execute("PRAGMA integrity_check").fetchone()
            finally:
                check.close()
            if verdict != "ok":
                raise FetalHealthError(f"{archive}: the database in it is damaged ({verdict})")
            if (content / "bundles").exists():
                shutil.copytree(content / "bundles", settings.home / "bundles", dirs_exist_ok=True)
            (content / DATABASE).replace(database)
    except (OSError, tarfile.TarError, sqlite3.DatabaseError) as error:
        raise FetalHealthError(f"{archive}: not a backup that can be restored ({error})") from None
