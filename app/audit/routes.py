"""The audit page."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.accounts.guards import Administrator
from app.audit.store import record, search
from app.pages import render
from app.sessions import Database

router = APIRouter(include_in_schema=False)


@router.get("/audit")
def audit(
    request: Request,
    user: Administrator,
    session: Database,
    subject: Annotated[str, Query(max_length=80)] = "",
    name: Annotated[str, Query(max_length=80)] = "",
) -> Response:
    """The newest rows by woman and user; reading them is audited as well."""
    record(session, user, "audit.read", subject=subject, fold=True, filter=name)
    session.flush()
    rows = list(session.scalars(search(subject, name).limit(300)))
    return render(request, "audit.html", {"rows": rows, "subject": subject, "name": name})
