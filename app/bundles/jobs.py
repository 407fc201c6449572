"""Jobs of workers: bundles are loaded there before they serve."""

from app.accounts.guards import User
from app.audit.store import record
from app.transactions import unit_of_work
from app.workplace import Workplace


def promote(place: Workplace, user: User, identifier: str, reason: str) -> None:
    """Put a bundle in service."""
    with unit_of_work(place.sessions) as session:
        place.bundles.promote(session, identifier, user.name, reason)
        record(session, user, "bundle.promote", bundle=identifier, reason=reason)


def roll_back(place: Workplace, user: User, reason: str) -> str:
    """Put the previous bundle back in service; returns its identifier."""
    with unit_of_work(place.sessions) as session:
        deployment = place.bundles.roll_back(session, user.name, reason)
        record(session, user, "bundle.roll-back", bundle=deployment.bundle_id, reason=reason)
        return deployment.bundle_id
