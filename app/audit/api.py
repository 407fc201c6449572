"""REST API of the audit, for administrators."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from app.accounts.guards import Auditor
from app.audit.store import AuditRow, Filters, record, search
from app.paging import SIZE, After, Limit
from app.sessions import Database
from app.texts import Date, Word

router = APIRouter(prefix="/api/v1")


class AuditAnswer(BaseModel):
    """One row of the audit."""

    id: int
    at: datetime
    user: str
    action: str
    subject: str
    place: str
    session: str
    detail: dict[str, Any]

    @classmethod
    def of(cls, row: AuditRow) -> "AuditAnswer":
        """The answer of a stored row."""
        return cls(
            id=row.id,
            at=row.at,
            user=row.user_name,
            action=row.action,
            subject=row.subject,
            place=row.place,
            session=row.session,
            detail=row.detail,
        )


class AuditList(BaseModel):
    """Rows of the audit, newest first; `total` is null where there are more than 1000 rows."""

    items: list[AuditAnswer]
    next: str | None
    total: int | None


@router.get("/audit", tags=["audit"])
def list_audit(
    request: Request,
    user: Auditor,
    session: Database,
    subject: Word = "",
    name: Word = "",
    action: Annotated[str, Query(max_length=60, description="For example assessment.read.")] = "",
    since: Date | None = None,
    until: Date | None = None,
    after: After = "",
    limit: Limit = SIZE,
) -> AuditList:
    """The audit by woman, user, action and day (UTC, both included)."""
    record(session, user, "audit.read", fold=True, filter=name, subject=subject, of_action=action)
    session.flush()
    page = search(session, Filters(subject, name, action, since, until), after, limit)
    return AuditList(items=[AuditAnswer.of(row) for row in page.rows], next=page.next_of(request), total=page.total)
