"""The database schema: which version a database has, and how it gets to another one, whole or not at all.

Alembic is imported only when a migration runs, so that a server starts without it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, MetaData, Table, create_engine, inspect, text
from sqlalchemy.exc import DBAPIError

from models.errors import SchemaError

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

# Any number that no other application uses for its locks in the same PostgreSQL database.
_LOCK = 7_264_001
_VERSION_TABLE = "alembic_version"
# Alembic copies a SQLite table under this name to change it; a copy that is still there is left from an interruption.
_COPY = "_alembic_tmp_"


def check_version(engine: Engine) -> None:
    """Refuse a database whose schema this release does not know.

    A database that cannot be reached or has no schema yet passes: the readiness probe reports it.

    Raises
    ------
    SchemaError
        The schema is newer than this release, or older than it needs.
    """
    try:
        with engine.connect() as connection:
            current = _current(connection)
    except DBAPIError:
        return
    finally:
        engine.dispose()  # a refused start leaves no connection open
    if current is None:
        return
    known = _versions()
    _refuse_unknown(current, known)
    if current != known[-1]:
        raise SchemaError(f"the database schema is at {current}, this release needs {known[-1]}: fetal-health migrate")


def run(engine: Engine, revision: str) -> None:
    """Bring the schema up or down to `revision`; see `app.database.migrate`."""
    if revision == "head" and _is_complete(engine):
        return
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(files("migrations")))
    scripts = ScriptDirectory.from_config(config)
    with _one_transaction(engine) as connection:
        config.attributes["connection"] = connection
        current = _current(connection)
        if current is not None:
            _refuse_unknown(current, _versions())
        _refuse_missing(revision, _versions())
        if engine.dialect.name == "sqlite":
            _repair(connection, config, current)
        if _goes_down(scripts, current, revision):
            command.downgrade(config, revision)
        else:
            command.upgrade(config, revision)


def _is_complete(engine: Engine) -> bool:
    """Tell whether the schema is the newest one, with nothing left of an interrupted migration."""
    with engine.connect() as connection:
        complete = _current(connection) == _versions()[-1]
        return complete and not any(name.startswith(_COPY) for name in inspect(connection).get_table_names())


@contextmanager
def _one_transaction(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that holds every change of the schema, and waits for another process that migrates.

    SQLite changes a table by copying and dropping it, which its foreign keys would forbid. They are checked once, at
    the end. Its driver would commit each change of the schema; `BEGIN IMMEDIATE` on a connection without the driver's
    own transactions prevents that.
    """
    if engine.dialect.name != "sqlite":
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            yield connection
        return
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        usual, driver.isolation_level = driver.isolation_level, None
        try:
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            _refuse_broken_references(connection)
            connection.commit()
        finally:
            connection.rollback()
            connection.exec_driver_sql("PRAGMA foreign_keys=ON")
            driver.isolation_level = usual


def _current(connection: Connection) -> str | None:
    """Return the version that the database says it has."""
    if not inspect(connection).has_table(_VERSION_TABLE):
        return None
    version: str | None = connection.scalar(text(f"SELECT version_num FROM {_VERSION_TABLE}"))  # noqa: S608
    return version


def _versions() -> list[str]:
    """Return the versions that this release knows, oldest first, from the names of the migration files."""
    names = (path.name for path in files("migrations.versions").iterdir())
    return sorted(name[1:5] for name in names if name.startswith("v") and name.endswith(".py"))


def _refuse_unknown(current: str, known: list[str]) -> None:
    if current not in known:
        raise SchemaError(
            f"the database schema is at {current}, which this release does not know (it knows up to {known[-1]}): "
            "install the release that made it, or restore a backup"
        )


def _refuse_missing(revision: str, known: list[str]) -> None:
    steps = revision[1:] if revision[:1] in "+-" else ""
    if revision not in {"head", "base", *known} and not steps.isdigit():
        raise SchemaError(f"no schema {revision!r}: it is head, base, one of {', '.join(known)}, or steps such as -1")


def _goes_down(scripts: "ScriptDirectory", current: str | None, revision: str) -> bool:
    if revision == "base" or revision.startswith("-"):
        return True
    if current is None or revision == "head" or revision.startswith("+"):
        return False
    return any(step.revision == revision for step in scripts.iterate_revisions(current, "base")) and current != revision


def _refuse_broken_references(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    if broken:
        tables = ", ".join(sorted({str(row[0]) for row in broken}))
        raise SchemaError(f"rows of {tables} refer to rows that do not exist; nothing was changed: restore a backup")


def _repair(connection: Connection, config: "Config", current: str | None) -> None:
    """Put a schema right that an earlier release left half changed, as far as no row is at stake.

    Earlier releases changed SQLite step by step. An upgrade or downgrade that failed left the copy of a table, tables
    of the next version without rows, or had dropped tables of the present version.
    """
    tables = set(inspect(connection).get_table_names())
    copies = {name for name in tables if name.startswith(_COPY)}
    if not copies or current is None:
        return
    for copy in copies:
        if copy.removeprefix(_COPY) in tables:
            connection.exec_driver_sql(f'DROP TABLE "{copy}"')
        else:
            connection.exec_driver_sql(f'ALTER TABLE "{copy}" RENAME TO "{copy.removeprefix(_COPY)}"')
    present = set(inspect(connection).get_table_names())
    proper = _tables_at(config, current)
    config.attributes["connection"] = connection
    for name in present - set(proper.tables):
        if connection.exec_driver_sql(f'SELECT 1 FROM "{name}" LIMIT 1').first():  # noqa: S608
            raise SchemaError(f"table {name} does not belong to schema {current} and has rows: restore a backup")
        connection.exec_driver_sql(f'DROP TABLE "{name}"')
    for table in proper.sorted_tables:
        if table.name not in present:
            table.create(connection)


def _tables_at(config: "Config", version: str) -> MetaData:
    """Return the tables of a new database at `version`."""
    from alembic import command

    metadata = MetaData()
    memory = create_engine("sqlite://")
    with memory.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)
        for name in inspect(connection).get_table_names():
            Table(name, metadata, autoload_with=connection)
    memory.dispose()
    return metadata
