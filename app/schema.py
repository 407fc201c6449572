"""Which schema a database has, and whether this release can work with it. Cheap: Alembic is not loaded."""

from importlib.resources import files
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

import app.tables  # noqa: F401  (fills the metadata)
from app.orm import Base
from models.errors import FetalHealthError

SCRIPTS = Path(str(files("migrations")))
HALF_COPY = "_alembic_tmp_"


def revisions() -> list[str]:
    """Every revision of this release, oldest first; the files of ``migrations/versions`` bear their numbers."""
    return sorted(path.name[1:5] for path in (SCRIPTS / "versions").glob("v[0-9][0-9][0-9][0-9]_*.py"))


def revision_of(connection: Connection) -> str | None:
    """Read the database's revision; None before the first migration.

    Raises
    ------
    FetalHealthError
        The schema is none of this release's, most likely a newer one's.
    """
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = list(connection.execute(text("SELECT version_num FROM alembic_version")).scalars())
    all_revisions = revisions()
    if len(found) > 1 or not set(found) <= set(all_revisions):
        raise FetalHealthError(
            f"the database has schema {', '.join(sorted(found))}, and this release knows {all_revisions[0]} to "
            f"{all_revisions[-1]}: "
            "install the release that wrote it, or restore a backup"
        )
    return found[0] if found else None


def shortfall(engine: Engine) -> str:
    """Say in a few words why the schema is not the whole schema of this release; empty when it is.

    Raises
    ------
    FetalHealthError
        The schema is none of this release's.
    """
    with engine.connect() as connection:
        found = revision_of(connection)
        tables = set(inspect(connection).get_table_names())
    newest = revisions()[-1]
    if found != newest:
        return f"the database has {f'schema {found}' if found else 'no schema'}, and this release needs {newest}"
    missing = sorted(Base.metadata.tables.keys() - tables)
    if missing:
        return f"the database lacks {', '.join(missing)}"
    copies = [name for name in tables if name.startswith(HALF_COPY)]
    return "an earlier migration stopped half way" if copies else ""


def require_whole(engine: Engine) -> None:
    """Refuse a database that the application cannot work with.

    Raises
    ------
    FetalHealthError
        The schema is older, newer or incomplete; one plain line that says what to do.
    """
    try:
        why = shortfall(engine)
        if why:
            raise FetalHealthError(f"{why}: run `fetal-health migrate`")
    except FetalHealthError:
        engine.dispose()
        raise
