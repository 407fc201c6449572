"""Engine, sessions and migrations. Services never commit; the edge (`unit_of_work`) does."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Engine, MetaData, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.types import TypeDecorator

NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
PRAGMAS = ("busy_timeout=10000", "journal_mode=WAL", "foreign_keys=ON", "synchronous=NORMAL")


class UtcDateTime(TypeDecorator[datetime]):
    """A time zone aware moment, stored in UTC on every engine."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """To UTC; a moment without a zone is a mistake of ours."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a time without a zone")
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """From UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Root of the tables."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {datetime: UtcDateTime}  # noqa: RUF012


def now() -> datetime:
    """This moment, UTC."""
    return datetime.now(UTC)


def make_engine(address: str) -> Engine:
    """An engine; SQLite runs in WAL mode with foreign keys enforced."""
    engine = create_engine(_with_driver(address), pool_pre_ping=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda connection, _: set_pragmas(connection))
    return engine


def set_pragmas(connection: sqlite3.Connection) -> None:
    """Set what every SQLite connection of ours has."""
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _with_driver(address: str) -> str:
    return address.replace("postgresql://", "postgresql+psycopg://", 1).replace(
        "postgres://", "postgresql+psycopg://", 1
    )


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring the schema up or down to `revision`, whole or not at all; a second process waits for the first.

    Raises
    ------
    FetalHealthError
        The schema or `revision` is none of this release's, or the migration failed; nothing was changed.
    """
    from app import schema  # the tables of the metadata are built on this module

    if revision == "head" and not schema.shortfall(engine):
        return
    from app import migration  # loads Alembic, which a server does not need

    migration.run(engine, revision)


def session_factory(engine: Engine) -> sessionmaker[Session]:
    """Sessions on this engine."""
    return sessionmaker(engine, expire_on_commit=False)


@contextmanager
def unit_of_work(factory: sessionmaker[Session]) -> Iterator[Session]:
    """One transaction: committed at the end, rolled back on any error."""
    with factory() as session, session.begin():
        yield session
