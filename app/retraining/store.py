"""Schedules of retraining."""

from datetime import datetime

from sqlalchemy import JSON, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.orm import Base


class Schedule(Base):
    """A plan that is started at a fixed interval of days.

    Attributes
    ----------
    plan : str
        Name of a shipped plan.
    sites : list of str
        Hospitals; empty for a simulation on this machine.
    minimum_sites : int or None
    every_days : int
    next_at : datetime
    last_run : str
        Name of the run that it started last, or why it could not start.
    """

    __tablename__ = "schedule"

    id: Mapped[int] = mapped_column(primary_key=True)
    plan: Mapped[str] = mapped_column(String(80))
    sites: Mapped[list[str]] = mapped_column(JSON, default=list)
    minimum_sites: Mapped[int | None]
    every_days: Mapped[int]
    next_at: Mapped[datetime]
    last_run: Mapped[str] = mapped_column(String(200), default="")
    by: Mapped[str] = mapped_column(String(80))


def schedules(session: Session) -> list[Schedule]:
    """All schedules, the next one first."""
    return list(session.scalars(select(Schedule).order_by(Schedule.next_at)))
