"""Archives of the first format: a copy of an SQLite file and the bundles, without hashes."""

import gzip
import hashlib
import shutil
import sqlite3
import tarfile
import tempfile
import zlib
from pathlib import Path

from app.backups.archive import DAMAGED, Contents, line_of
from app.database import make_engine, migrate
from app.settings import Settings
from models.errors import FetalHealthError

FIRST_DATABASE = "fetal-health.db"


def is_first_format(archive: Path) -> bool:
    """Whether an archive begins with a database file, as those of the first format do."""
    try:
        with tarfile.open(archive, "r:gz") as tar:
            first = tar.next()
            return first is not None and first.name == FIRST_DATABASE
    except (OSError, EOFError, tarfile.TarError, zlib.error):
        return False


def restore_first(settings: Settings, archive: Path) -> Contents:
    """Restore it into an empty home on SQLite, checked as far as it allows.

    Raises
    ------
    FetalHealthError
        The database is not SQLite, or the archive is damaged.
    """
    if not settings.database.startswith("sqlite:///"):
        raise FetalHealthError("an archive of the first format is restored to SQLite; back that up and restore again")
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = Path(settings.database.removeprefix("sqlite:///"))
    try:
        with tempfile.TemporaryDirectory(dir=settings.home) as folder:
            with gzip.open(archive) as whole:  # to the checksum at its end
                while whole.read(1 << 20):
                    pass
            with tarfile.open(archive, "r:gz") as tar:
                tar.extractall(folder, filter="data")
            copy = sqlite3.connect(Path(folder) / FIRST_DATABASE)
            try:
                (verdict,) = copy.execute("PRAGMA integrity_check").fetchone()
                files = list(copy.execute("SELECT name, sha256, content FROM stored_file"))
            finally:
                copy.close()
            wrong = [name for name, expected, content in files if hashlib.sha256(content).hexdigest() != expected]
            if verdict != "ok" or wrong:
                raise ValueError(f"the database in it is damaged: {wrong[0] if wrong else verdict}")
            if (Path(folder) / "bundles").exists():
                shutil.copytree(Path(folder) / "bundles", settings.home / "bundles", dirs_exist_ok=True)
            (Path(folder) / FIRST_DATABASE).replace(database)
    except (*DAMAGED, sqlite3.DatabaseError) as error:
        raise FetalHealthError(f"{archive}: not a backup that can be restored ({line_of(error)})") from None
    engine = make_engine(settings.database)
    migrate(engine)
    engine.dispose()
    return Contents("", "", "first format", {}, 0)
