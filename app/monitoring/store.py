"""Outcomes of births, and notices to operators."""

from datetime import datetime

from sqlalchemy import Float, ForeignKey, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from app.orm import Base
from app.patients.store import Fetus


class Outcome(Base):
    """The outcome of a birth; a correction is a new row, and the last row counts."""

    __tablename__ = "outcome"

    id: Mapped[int] = mapped_column(primary_key=True)
    fetus_id: Mapped[int] = mapped_column(ForeignKey("fetus.id"), index=True)
    ph: Mapped[float] = mapped_column(Float)
    born_at: Mapped[datetime]
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(80))
    fetus: Mapped[Fetus] = relationship()


class Notice(Base):
    """A threshold that was crossed at a hospital with a bundle; open until an operator acknowledges it."""

    __tablename__ = "notice"

    id: Mapped[int] = mapped_column(primary_key=True)
    site: Mapped[str] = mapped_column(String(80))
    bundle: Mapped[str] = mapped_column(String(12))
    what: Mapped[str] = mapped_column(String(120))
    text: Mapped[str] = mapped_column(Text)
    raised_at: Mapped[datetime]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None] = mapped_column(String(80))
    reason: Mapped[str | None] = mapped_column(String(400))


def outcome_of(session: Session, fetus_id: int) -> Outcome | None:
    """The last outcome that was entered."""
    query = select(Outcome).where(Outcome.fetus_id == fetus_id).order_by(Outcome.id.desc()).limit(1)
    return session.scalar(query)


def born(session: Session, fetus: Fetus) -> datetime | None:
    """When this fetus was born, where that is known."""
    outcome = outcome_of(session, fetus.id)
    return outcome.born_at if outcome else None


def open_notices(session: Session) -> list[Notice]:
    """Notices that nobody has acknowledged, newest first."""
    return list(session.scalars(select(Notice).where(Notice.acknowledged_at.is_(None)).order_by(Notice.id.desc())))


def known_notice(session: Session, site: str, bundle: str, what: str) -> Notice | None:
    """The last notice of this kind, open or acknowledged."""
    same = (Notice.site == site, Notice.bundle == bundle, Notice.what == what)
    return session.scalar(select(Notice).where(*same).order_by(Notice.id.desc()).limit(1))
