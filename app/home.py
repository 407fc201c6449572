"""The installation that a command works on: its database, migrated to the newest schema, and its bundles."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from app.bundles.service import BundleRegistry


def session_of_home() -> "AbstractContextManager[Session]":
    """Open a unit of work on this installation's database, after bringing its schema up to date."""
    from app.database import make_engine, session_factory
    from app.settings import settings
    from app.transactions import unit_of_work
    from app.upgrade import upgrade

    chosen = settings()
    upgrade(chosen)
    return unit_of_work(session_factory(make_engine(chosen.database)))


def registry_of_home() -> "BundleRegistry":
    """Return the registry of this installation's bundles."""
    from app.bundles.service import BundleRegistry
    from app.settings import settings

    return BundleRegistry(settings().home)
