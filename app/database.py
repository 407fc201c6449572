"""Engine, sessions and migrations."""

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.orm import Session, sessionmaker

from app.orm import set_pragmas


def make_engine(address: str) -> Engine:
    """An engine; SQLite runs in WAL mode with foreign keys enforced. Messages never hold the values of a statement."""
    address = _with_driver(address)
    if address.startswith("sqlite"):
        # The driver begins a transaction before the first write, and takes the lock at once.
        engine = create_engine(address, hide_parameters=True, connect_args={"isolation_level": "IMMEDIATE"})
        event.listen(engine, "connect", lambda connection, _: set_pragmas(connection))
        return engine
    return create_engine(address, hide_parameters=True, pool_pre_ping=True, pool_size=10, max_overflow=30)


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
    """Sessions on this engine; nothing is written before a flush or the end."""
    return sessionmaker(engine, expire_on_commit=False, autoflush=False)
