"""REST API of bundles, for operators."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from app.accounts.guards import Operator
from app.bundles import jobs
from app.bundles.store import BundleRow, bundles, latest
from app.errors import NotFoundError
from app.retraining import service as retraining
from app.sessions import Database
from app.transactions import unit_of_work

router = APIRouter(prefix="/api/v1")


class BundleAnswer(BaseModel):
    """A bundle and whether it is in service."""

    identifier: str
    name: str
    in_service: bool
    gate: str
    run: str | None
    registered_at: datetime
    manifest: dict[str, Any] | None = None


class ReasonRequest(BaseModel):
    """The reason for a promotion or a rollback."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1, max_length=300)


def _bundle(session: Session, row: BundleRow, manifest: dict[str, Any] | None = None) -> BundleAnswer:
    current = latest(session)
    return BundleAnswer(
        identifier=row.identifier,
        name=row.name,
        in_service=current is not None and current.bundle_id == row.identifier,
        gate=row.gate,
        run=row.run,
        registered_at=row.registered_at,
        manifest=manifest,
    )


@router.get("/bundles", tags=["bundles"])
def list_bundles(request: Request, user: Operator, session: Database) -> list[BundleAnswer]:
    """All bundles, newest first; candidates of finished runs are among them."""
    retraining.collect(request.app.state.sessions, request.app.state.settings)
    return [_bundle(session, row) for row in bundles(session)]


@router.get("/bundles/{identifier}", tags=["bundles"])
def get_bundle(request: Request, identifier: str, user: Operator, session: Database) -> BundleAnswer:
    """One bundle with its manifest."""
    row = session.get(BundleRow, identifier)
    if row is None:
        raise NotFoundError(f"bundle {identifier}")
    return _bundle(session, row, request.app.state.bundle.open(identifier).manifest)


@router.post("/bundles/{identifier}/promote", tags=["bundles"])
def promote_bundle(request: Request, identifier: str, body: ReasonRequest, user: Operator) -> BundleAnswer:
    """Put a bundle in service."""
    request.app.state.workers.run(jobs.promote, user, identifier, body.reason)
    return _answer(request, identifier)


def _answer(request: Request, identifier: str) -> BundleAnswer:
    with unit_of_work(request.app.state.sessions) as session:
        return _bundle(session, session.get_one(BundleRow, identifier))


@router.post("/bundles/roll-back", tags=["bundles"])
def roll_back_bundle(request: Request, body: ReasonRequest, user: Operator) -> BundleAnswer:
    """Put the previous bundle back in service."""
    return _answer(request, request.app.state.workers.run(jobs.roll_back, user, body.reason))
