"""The evidence page, for anybody who is signed in."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.accounts.guards import AnyUser
from app.evidence.service import drawings, evidence
from app.pages import render
from app.sessions import Database

router = APIRouter()


@router.get("/evidence", include_in_schema=False)
def page(request: Request, user: AnyUser, session: Database) -> Response:
    """How well the bundle in service is calibrated, and on whom."""
    shown = evidence(request.app.state.bundle.in_service(session))
    return render(request, "evidence.html", {"evidence": shown, "patterns": drawings(shown)})


@router.get("/api/v1/evidence", tags=["bundles"])
def as_json(request: Request, user: AnyUser, session: Database) -> dict[str, Any]:
    """The evidence as numbers."""
    return evidence(request.app.state.bundle.in_service(session))
