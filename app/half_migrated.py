"""Repair of SQLite schemas that releases before whole migrations left half way, where only one repair is possible."""

import logging
from collections.abc import Callable

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import (
    Column,
    Connection,
    Inspector,
    MetaData,
    Table,
    create_engine,
    exists,
    inspect,
    literal,
    select,
    table,
    text,
)
from sqlalchemy.schema import DefaultClause

from app.orm import Base
from app.schema import HALF_COPY
from models.errors import FetalHealthError

_log = logging.getLogger(__name__)
REMEDY = "restore a backup from before that migration, or ask for help with a copy of the database"


def repair(connection: Connection, revision: str | None, move: Callable[[Connection, str], None]) -> None:
    """Make the schema what `revision` says it is, unless rows would be lost.

    Tables and columns that a later migration makes go when they hold nothing; a table that a failed downgrade
    has dropped comes back empty, and the log says so.

    Parameters
    ----------
    revision : str or None
        What the database says it has.
    move : callable
        Brings an empty database to a revision, for comparison.

    Raises
    ------
    FetalHealthError
        Rows stand where the next migration will work, or a table of the record is missing.
    """
    found = inspect(connection)
    _drop_half_copies(connection, found)
    wanted = _tables_of(revision, move)
    for name in sorted(wanted.keys() - set(found.get_table_names())):
        _bring_back(connection, found, wanted[name])
    for name in sorted(found.get_table_names()):
        if name in wanted:
            _drop_early_columns(connection, found, wanted[name], revision)
        elif name in Base.metadata.tables:
            _drop_early_table(connection, name, revision)


def _drop_half_copies(connection: Connection, found: Inspector) -> None:
    names = found.get_table_names()
    for copy in (name for name in names if name.startswith(HALF_COPY)):
        original = copy.removeprefix(HALF_COPY)
        if original not in names:
            raise FetalHealthError(f"an earlier migration lost table {original}: {REMEDY}")
        _drop(connection, copy)
    found.clear_cache()


def _tables_of(revision: str | None, move: Callable[[Connection, str], None]) -> dict[str, Table]:
    """Reflect the tables of an empty database at this revision."""
    tables = MetaData()
    if revision is not None:
        engine = create_engine("sqlite://")
        with engine.begin() as connection:
            move(connection, revision)
            tables.reflect(connection)
        engine.dispose()
    return dict(tables.tables)


def _drop_early_table(connection: Connection, name: str, revision: str | None) -> None:
    if connection.scalar(select(exists().select_from(table(name)))):
        raise FetalHealthError(_stopped(f"table {name} has rows", revision))
    _drop(connection, name)


def _drop_early_columns(connection: Connection, found: Inspector, wanted: Table, revision: str | None) -> None:
    ours = Base.metadata.tables.get(wanted.name)
    late = set(ours.columns.keys() if ours is not None else ()) - set(wanted.columns.keys())
    if not late & {column["name"] for column in found.get_columns(wanted.name)}:
        return
    present = Table(wanted.name, MetaData(), autoload_with=connection, resolve_fks=False)
    for name in sorted(late & set(present.columns.keys())):
        if connection.scalar(select(exists().where(present.c[name].is_distinct_from(_default(present.c[name]))))):
            raise FetalHealthError(_stopped(f"{wanted.name}.{name} has values", revision))
        with Operations(MigrationContext.configure(connection)).batch_alter_table(wanted.name) as batch:
            batch.drop_column(name)


def _stopped(what: str, revision: str | None) -> str:
    return f"an earlier migration stopped half way: {what}, but schema {revision} has no such place: {REMEDY}"


def _default(column: Column[object]) -> object:
    default = column.server_default
    return text(str(default.arg)) if isinstance(default, DefaultClause) else literal(None)


def _bring_back(connection: Connection, found: Inspector, lost: Table) -> None:
    children = [name for name in found.get_table_names() if _refers(found, name, lost.name)]
    if children:
        raise FetalHealthError(f"table {lost.name} is missing, and {', '.join(sorted(children))} needs it: {REMEDY}")
    lost.create(connection)
    _log.warning("table %s was missing after a migration that failed: it is there again, empty", lost.name)


def _refers(found: Inspector, child: str, parent: str) -> bool:
    return any(key["referred_table"] == parent for key in found.get_foreign_keys(child))


def _drop(connection: Connection, name: str) -> None:
    Table(name, MetaData()).drop(connection)
