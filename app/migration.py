"""Migrations, whole or not at all: one transaction on either engine, and one process after the other.

SQLite's foreign keys rest meanwhile, since a column is changed by copying the table and dropping the old one;
they are checked before the commit. What an earlier release left half way is put in order first.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from app import schema
from app.half_migrated import repair
from app.orm import set_pragmas
from models.errors import FetalHealthError

ADVISORY_LOCK = 0x6665_7461_6C  # any number that only we use in the database
WAIT_MS = 600_000
_alone = threading.RLock()  # Alembic keeps the migration under way in a global


def run(engine: Engine, revision: str) -> None:
    """Bring the schema up or down to `revision`, and repair it first where SQLite needs that.

    Raises
    ------
    FetalHealthError
        It could not be done, and nothing was changed; one plain line.
    """
    try:
        with _alone, _transaction(engine) as connection:
            if engine.dialect.name == "sqlite":
                repair(connection, schema.revision_of(connection), move)
            move(connection, revision)
    except CommandError as error:
        all_revisions = schema.revisions()
        raise FetalHealthError(
            f"no schema {revision}: {error} (there are {all_revisions[0]} to {all_revisions[-1]})"
        ) from error
    except DBAPIError as error:
        reason = str(error.orig).splitlines()[0]
        raise FetalHealthError(f"the migration failed, and nothing was changed: {reason}") from error


def move(connection: Connection, revision: str) -> None:
    """Run the migrations between the present revision and `revision`, up or down, on an open transaction."""
    config = Config()
    config.set_main_option("script_location", str(schema.SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    script = ScriptDirectory.from_config(config)
    go = command.downgrade if _is_down(script, schema.revision_of(connection), revision) else command.upgrade
    go(config, revision)


def _is_down(script: ScriptDirectory, present: str | None, revision: str) -> bool:
    if revision == "base" or revision.startswith("-"):
        return True
    if present is None or revision.startswith("+"):
        return False
    wanted = script.get_revision(revision)
    older = {step.revision for step in script.iterate_revisions(present, "base")} - {present}
    return wanted is not None and wanted.revision in older


@contextmanager
def _transaction(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            with _sqlite_transaction(connection):
                yield connection
        else:
            with connection.begin():
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
                yield connection


@contextmanager
def _sqlite_transaction(connection: Connection) -> Iterator[None]:
    """Hold the write lock from the beginning; the driver's own BEGIN would leave DDL outside."""
    driver = cast(sqlite3.Connection, connection.connection.driver_connection)
    level = driver.isolation_level
    driver.isolation_level = None
    driver.execute("PRAGMA foreign_keys=OFF")
    driver.execute(f"PRAGMA busy_timeout={WAIT_MS}")
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield
        _refuse_orphans(connection)
        connection.commit()
    finally:
        connection.rollback()
        driver.isolation_level = level
        set_pragmas(driver)


def _refuse_orphans(connection: Connection) -> None:
    orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    if orphans:
        pairs = sorted({f"{table} without its {parent}" for table, _, parent, _ in orphans})
        raise FetalHealthError(
            f"the migration would leave {len(orphans)} rows of {', '.join(pairs)}, and nothing was changed: "
            "restore a backup in which `PRAGMA foreign_key_check` is silent"
        )
