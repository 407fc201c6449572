"""REST API of the audit, for administrators."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel

from app.accounts.guards import Administrator
from app.audit.store import AuditRow, record, search
from app.paging import SIZE, After, Limit
from app.sessions import Database
from app.texts import Date, Word

router = APIRouter(prefix="/api/v1")


class AuditAnswer(BaseModel):
    """One row of the audit."""

    at: datetime
    last_at: datetime
    times: int
    user: str
    action: str
    subject: str
    detail: dict[str, Any]

    @classmethod
    def of(cls, row: AuditRow) -> "AuditAnswer":
        """The answer of a stored row."""
        return cls(
            at=row.at,
            last_at=row.last_at,
            times=row.times,
            user=row.user_name,
            action=row.action,
            subject=row.subject,
            detail=row.detail,
        )


class AuditList(BaseModel):
    """One page of the audit, newest first; `total` is null where there are more than 1000 rows."""

    items: list[AuditAnswer]
    next: str | None
    total: int | None


@router.get("/audit", tags=["audit"])
def list_audit(
    request: Request,
    user: Administrator,
    session: Database,
    subject: Word = "",
    name: Word = "",
    since: Date | None = None,
    until: Date | None = None,
    after: After = "",
    limit: Limit = SIZE,
) -> AuditList:
    """The audit by woman, user and day (UTC, both included)."""
    record(session, user, "audit.read", fold=True, filter=name, subject=subject)
    session.flush()
    page = search(session, subject, name, since, until, after, limit)
    return AuditList(items=[AuditAnswer.of(row) for row in page.rows], next=page.next_of(request), total=page.total)
