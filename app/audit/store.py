"""The audit table: one row for each request, committed together with what it records."""

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, or_, select, tuple_
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.orm import Base, now
from app.paging import SIZE, Page, begun_after, between, page_of

FOLD_WITHIN = timedelta(minutes=15)


class AuditRow(Base):
    """One request, or several unchanged refreshes of the same page by the same user.

    `subject` is the woman's pseudonym at that time and `woman_id` her number; both are empty for a list, whose filter
    and identifiers stand in `detail`.
    """

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_at", "at", "id"),
        Index("ix_audit_subject", "subject", "at", "id"),
        Index("ix_audit_woman", "woman_id", "at", "id"),
        Index("ix_audit_user_name", "user_name", "at", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    last_at: Mapped[datetime]
    times: Mapped[int] = mapped_column(default=1)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    user_name: Mapped[str] = mapped_column(String(80))
    action: Mapped[str] = mapped_column(String(60), index=True)
    subject: Mapped[str] = mapped_column(String(80), default="")
    woman_id: Mapped[int | None]
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


NEWEST = (AuditRow.at.desc(), AuditRow.id.desc())


def record(session: Session, user: Any, action: str, *, woman: Any = None, fold: bool = False, **detail: Any) -> None:
    """Write a row, or count it into the same user's last row when `fold` and nothing changed.

    Parameters
    ----------
    user : object or None
        With ``id`` and ``name``; None before sign-in.
    action : str
        For example ``assessment.read``.
    woman : Woman or None
        Whom it concerns.
    """
    moment = now()
    subject, woman_id = (woman.pseudonym, woman.id) if woman is not None else ("", None)
    name = user.name if user is not None else str(detail.pop("name", ""))
    user_id = user.id or None if user is not None else None  # 0: no account, as of the demonstration
    if fold:
        last = session.scalar(select(AuditRow).where(AuditRow.user_name == name).order_by(*NEWEST).limit(1))
        unchanged = last is not None and (last.action, last.subject, last.detail) == (action, subject, detail)
        if last is not None and unchanged and moment - last.last_at < FOLD_WITHIN:
            last.times += 1
            last.last_at = moment
            return
    who = {"user_id": user_id, "user_name": name, "subject": subject, "woman_id": woman_id}
    session.add(AuditRow(at=moment, last_at=moment, action=action, detail=detail, **who))


def of_woman(session: Session, woman: Any, after: str = "") -> Page[AuditRow]:
    """Rows about a woman, newest first, also those from before she was merged or renamed."""
    hers = select(type(woman).id).where(type(woman).merged_into_id == woman.id)
    query = select(AuditRow).where(or_(AuditRow.woman_id == woman.id, AuditRow.woman_id.in_(hers)))
    order = query.order_by(*NEWEST)
    if begun := begun_after(after, (datetime.fromisoformat, int)):
        order = order.where(tuple_(AuditRow.at, AuditRow.id) < begun)
    return page_of(session, query, order, SIZE, lambda row: (row.at, row.id))


def search(
    session: Session,
    subject: str = "",
    user: str = "",
    since: date | None = None,
    until: date | None = None,
    after: str = "",
    limit: int = SIZE,
) -> Page[AuditRow]:
    """Rows, newest first, by woman, user and day (UTC, both included)."""
    query = select(AuditRow)
    if subject:
        query = query.where(AuditRow.subject == subject)
    if user:
        query = query.where(AuditRow.user_name == user)
    query = query.where(*between(AuditRow.at, since, until))
    order = query.order_by(*NEWEST)
    if begun := begun_after(after, (datetime.fromisoformat, int)):
        order = order.where(tuple_(AuditRow.at, AuditRow.id) < begun)
    return page_of(session, query, order, limit, lambda row: (row.at, row.id))
