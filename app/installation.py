"""What an installation needs before it serves: schema, first administrator, demonstration patients."""

import secrets

from sqlalchemy import func, select

from app.accounts.service import create_account
from app.accounts.store import Account, Role
from app.bundles.service import BundleRegistry
from app.database import make_engine, session_factory
from app.demonstration import demonstrate
from app.settings import Settings
from app.transactions import unit_of_work
from app.upgrade import upgrade

ADMINISTRATOR = "admin"


def prepare(settings: Settings, *, demonstration: bool) -> str | None:
    """Migrate, register the shipped bundle, add the first administrator and demonstration patients.

    Returns
    -------
    str or None
        The administrator's random password, once; None if there are accounts already.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    upgrade(settings)
    engine = make_engine(settings.database)
    registry = BundleRegistry(settings.home)
    with unit_of_work(session_factory(engine)) as session:
        registry.ensure_shipped(session)
        password = None
        if not session.scalar(select(func.count(Account.id))):
            password = secrets.token_urlsafe(12)
            create_account(session, ADMINISTRATOR, password, Role.ADMINISTRATOR)
    if demonstration:
        with unit_of_work(session_factory(engine)) as session:
            demonstrate(session, registry)
    engine.dispose()
    return password
