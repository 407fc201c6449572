"""The audit table: one row for each request, committed together with what it records. Rows are never changed.

Another table chains them (`app.audit.chain`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Select, String, or_, select, tuple_
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.orm import Base, now
from app.paging import SIZE, Page, begun_after, between, page_of

FOLD_WITHIN = timedelta(minutes=15)
EXPORTED_AT_ONCE = 500


class AuditRow(Base):
    """One request.

    `subject` is the woman's pseudonym at that time and `woman_id` her number; both are empty for a list, whose filter
    and identifiers stand in `detail`. `place` is the address of who asked, `session` the handle of the session or the
    number of the token.
    """

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_at", "at", "id"),
        Index("ix_audit_subject", "subject", "at", "id"),
        Index("ix_audit_woman", "woman_id", "at", "id"),
        Index("ix_audit_user_name", "user_name", "at", "id"),
        Index("ix_audit_action", "action", "at", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    user_name: Mapped[str] = mapped_column(String(80))
    action: Mapped[str] = mapped_column(String(60))
    subject: Mapped[str] = mapped_column(String(80), default="")
    woman_id: Mapped[int | None]
    place: Mapped[str] = mapped_column(String(60), default="")
    session: Mapped[str] = mapped_column(String(20), default="")
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


NEWEST = (AuditRow.at.desc(), AuditRow.id.desc())


def record(session: Session, user: Any, action: str, *, woman: Any = None, fold: bool = False, **detail: Any) -> None:
    """Write a row; with `fold` none where the same user's last row, of a few minutes ago, says the same.

    Parameters
    ----------
    user : object or None
        With ``id`` and ``name``, and where known ``place`` and ``session``; None before sign-in.
    action : str
        For example ``assessment.read``.
    woman : Woman or None
        Whom it concerns.
    """
    moment = now()
    row = AuditRow(
        at=moment,
        user_id=user.id or None if user is not None else None,  # 0: no account, as of the demonstration
        user_name=user.name if user is not None else str(detail.pop("name", "")),
        action=action,
        subject=woman.pseudonym if woman is not None else "",
        woman_id=woman.id if woman is not None else None,
        place=str(detail.pop("place", "") or getattr(user, "place", "")),
        session=str(detail.pop("handle", "") or getattr(user, "session", "")),
        detail=detail,
    )
    if fold:
        last = session.scalar(select(AuditRow).where(AuditRow.user_name == row.user_name).order_by(*NEWEST).limit(1))
        if last is not None and moment - last.at < FOLD_WITHIN and _said(last) == _said(row):
            return
    session.add(row)


def _said(row: AuditRow) -> tuple[Any, ...]:
    return row.action, row.subject, row.woman_id, row.session, row.detail


@dataclass(frozen=True)
class Filters:
    """Which rows are shown; empty values do not filter.

    Attributes
    ----------
    subject, user, action : str
        Whole pseudonym, whole name, and an action such as ``assessment.read``.
    since, until : date or None
        UTC, both included.
    """

    subject: str = ""
    user: str = ""
    action: str = ""
    since: date | None = None
    until: date | None = None


def of_woman(session: Session, woman: Any) -> Page[AuditRow]:
    """Rows about a woman, newest first, also those from before she was merged or renamed."""
    hers = select(type(woman).id).where(type(woman).merged_into_id == woman.id)
    query = select(AuditRow).where(or_(AuditRow.woman_id == woman.id, AuditRow.woman_id.in_(hers)))
    return _page(session, query, "", SIZE)


def search(session: Session, filters: Filters, after: str = "", limit: int = SIZE) -> Page[AuditRow]:
    """Rows, newest first."""
    return _page(session, _query(filters), after, limit)


def everything(session: Session, filters: Filters) -> Iterator[AuditRow]:
    """All rows that the filters leave, oldest first, a few in memory at a time."""
    query = _query(filters).order_by(AuditRow.at, AuditRow.id)
    yield from session.scalars(query.execution_options(yield_per=EXPORTED_AT_ONCE))


def _query(filters: Filters) -> Select[AuditRow]:
    query = select(AuditRow)
    if filters.subject:
        query = query.where(AuditRow.subject == filters.subject)
    if filters.user:
        query = query.where(AuditRow.user_name == filters.user)
    if filters.action:
        query = query.where(AuditRow.action == filters.action)
    return query.where(*between(AuditRow.at, filters.since, filters.until))


def _page(session: Session, query: Select[AuditRow], after: str, limit: int) -> Page[AuditRow]:
    order = query.order_by(*NEWEST)
    if begun := begun_after(after, (datetime.fromisoformat, int)):
        order = order.where(tuple_(AuditRow.at, AuditRow.id) < begun)
    return page_of(session, query, order, limit, lambda row: (row.at, row.id))
