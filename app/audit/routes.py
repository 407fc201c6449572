"""The audit page, and its export."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy.orm import Session, sessionmaker
from starlette.responses import Response, StreamingResponse

from app.accounts.guards import Auditor
from app.audit.chain import head
from app.audit.store import Filters, everything, record, search
from app.pages import render
from app.paging import After
from app.sessions import Database
from app.texts import Day, Word, day_of

router = APIRouter(include_in_schema=False)
Action = Annotated[str, Query(max_length=60)]
COLUMNS = ("id", "at", "user", "action", "subject", "place", "session", "detail")


def chosen(
    subject: Word = "", name: Word = "", action: Action = "", since: Day = "", until: Day = ""
) -> dict[str, str]:
    """The filters as a form sends them."""
    return {"subject": subject, "name": name, "action": action, "since": since, "until": until}


Chosen = Annotated[dict[str, str], Depends(chosen)]


def _filters(chosen: dict[str, str]) -> Filters:
    days = (day_of(name, chosen[name]) for name in ("since", "until"))
    return Filters(chosen["subject"], chosen["name"], chosen["action"], *days)


@router.get("/audit")
def audit(request: Request, user: Auditor, session: Database, chosen: Chosen, after: After = "") -> Response:
    """Rows by woman, user, action and day; reading them is audited as well."""
    filters = _filters(chosen)
    record(
        session, user, "audit.read", fold=True, filter=filters.user, subject=filters.subject, of_action=filters.action
    )
    session.flush()
    page = search(session, filters, after)
    export = f"/audit/export?{urlencode({key: value for key, value in chosen.items() if value})}"
    values = {"page": page, "next": page.next_of(request), "head": head(session), "export": export}
    return render(request, "audit.html", {**values, **chosen})


@router.get("/audit/export")
def export(request: Request, user: Auditor, session: Database, chosen: Chosen) -> Response:
    """The same rows as a table (CSV), oldest first."""
    filters = _filters(chosen)
    since, until = chosen["since"], chosen["until"]
    record(
        session,
        user,
        "audit.export",
        filter=filters.user,
        subject=filters.subject,
        of_action=filters.action,
        since=since,
        until=until,
    )
    lines = _lines(request.app.state.sessions, filters)
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"'}
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)


def _lines(sessions: sessionmaker[Session], filters: Filters) -> Iterator[str]:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    with sessions() as session:
        for row in everything(session, filters):
            detail = json.dumps(row.detail, ensure_ascii=False)
            cells = (row.user_name, row.action, row.subject, row.place, row.session, detail)
            writer.writerow([row.id, row.at.isoformat(), *map(_plain, cells)])
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def _plain(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell[:1] in {"=", "+", "-", "@", "\t", "\r"} else cell
