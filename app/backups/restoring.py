"""Restoring a backup into an empty installation, on either engine, whole or not at all."""

import os
import shutil
import tempfile
from pathlib import Path

from sqlalchemy import Engine, MetaData, inspect

from app.backups.archive import DAMAGED, MANIFEST, TABLES, Contents, line_of, members_of, verify
from app.backups.first_format import is_first_format, restore_first
from app.backups.values import after_insertion, insert_lines
from app.database import make_engine, migrate
from app.settings import Settings
from models.errors import FetalHealthError


def restore(settings: Settings, archive: Path) -> Contents:
    """Restore an archive into an empty installation, and bring its schema up to date.

    Raises
    ------
    FetalHealthError
        There are data already, or the archive is damaged; nothing is left behind then.
    """
    if is_first_format(archive):
        _require_empty(settings)
        return restore_first(settings, archive)
    contents = verify(archive)
    folders = {"bundles": settings.home / "bundles", "runs": settings.home / "runs"}
    folders["federation"] = settings.federation or settings.home / "federation"
    for folder in folders.values():
        if folder.exists() and any(folder.iterdir()):
            raise FetalHealthError(f"{folder} exists; restore into an empty home (set FETAL_HEALTH_HOME)")
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    _require_empty(settings)
    engine = make_engine(settings.database)
    scratch = Path(tempfile.mkdtemp(prefix=".restore-", dir=settings.home))
    try:
        migrate(engine, contents.schema)
        _load(engine, archive, scratch)
        for name, folder in folders.items():
            if (scratch / name).exists():
                folder.parent.mkdir(parents=True, exist_ok=True)
                shutil.rmtree(folder, ignore_errors=True)
                shutil.move(scratch / name, folder)
        migrate(engine)
    except BaseException as error:
        _empty(engine, settings)
        if isinstance(error, DAMAGED):
            raise FetalHealthError(f"{archive}: could not be restored ({line_of(error)})") from None
        raise
    finally:
        engine.dispose()
        shutil.rmtree(scratch, ignore_errors=True)
    return contents


def _require_empty(settings: Settings) -> None:
    path = settings.database.removeprefix("sqlite:///")
    if settings.database.startswith("sqlite:///"):
        if Path(path).exists():
            raise FetalHealthError(f"{path} exists; restore into an empty home (set FETAL_HEALTH_HOME)")
        return
    engine = make_engine(settings.database)
    try:
        if inspect(engine).get_table_names():
            raise FetalHealthError("the database has tables; restore into an empty one (set DATABASE_URL)")
    finally:
        engine.dispose()


def _empty(engine: Engine, settings: Settings) -> None:
    """Remove what a failed restore has written into the empty database."""
    engine.dispose()
    if engine.dialect.name == "sqlite":
        for ending in ("", "-wal", "-shm"):
            Path(settings.database.removeprefix("sqlite:///") + ending).unlink(missing_ok=True)
        return
    tables = MetaData()
    tables.reflect(engine)
    tables.drop_all(engine)
    engine.dispose()


def _load(engine: Engine, archive: Path, scratch: Path) -> None:
    """Insert all rows in one transaction, and write the files into a scratch folder."""
    tables = MetaData()
    with engine.begin() as connection:
        tables.reflect(connection)
        for name, content in members_of(archive):
            if name.startswith(TABLES):
                insert_lines(connection, tables.tables[name[len(TABLES) :].removesuffix(".jsonl")], content)
            elif name != MANIFEST:
                target = scratch / name
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
                    shutil.copyfileobj(content, handle)
        after_insertion(connection, tables)
