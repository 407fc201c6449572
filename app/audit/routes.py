"""The audit page."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.accounts.guards import Administrator
from app.audit.store import record, search
from app.pages import render
from app.paging import After
from app.sessions import Database
from app.texts import Day, Word, day_of

router = APIRouter(include_in_schema=False)


@router.get("/audit")
def audit(
    request: Request,
    user: Administrator,
    session: Database,
    subject: Word = "",
    name: Word = "",
    since: Day = "",
    until: Day = "",
    after: After = "",
) -> Response:
    """Rows by woman, user and day; reading them is audited as well."""
    record(session, user, "audit.read", fold=True, filter=name, subject=subject)
    session.flush()
    page = search(session, subject, name, day_of("since", since), day_of("until", until), after)
    values = {"page": page, "next": page.next_of(request), "subject": subject, "name": name}
    return render(request, "audit.html", {**values, "since": since, "until": until})
