"""Engine, sessions and migrations. Services never commit; the edge (`unit_of_work`) does."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.orm import Session, sessionmaker

from app.orm import set_pragmas


def make_engine(address: str) -> Engine:
    """An engine; SQLite runs in WAL mode with foreign keys enforced."""
    engine = create_engine(_with_driver(address), pool_pre_ping=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda connection, _: set_pragmas(connection))
    return engine


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
