"""Assessments, reviews and notes."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Float, ForeignKey, String, Text, case, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship, selectinload

from app.errors import NotFoundError
from app.orm import Base
from app.patients.store import Examination, Fetus, Pregnancy, Woman
from models.fusion.state import STATES


class Assessment(Base):
    """One result: which examinations, which bundle, what came out. Never changed after it is stored.

    `supersedes_id` is the assessment that a correction (a typed head circumference) replaces.
    """

    __tablename__ = "assessment"

    id: Mapped[int] = mapped_column(primary_key=True)
    fetus_id: Mapped[int] = mapped_column(ForeignKey("fetus.id"), index=True)
    ctg_id: Mapped[int | None] = mapped_column(ForeignKey("examination.id"))
    scan_id: Mapped[int | None] = mapped_column(ForeignKey("examination.id"))
    supersedes_id: Mapped[int | None] = mapped_column(ForeignKey("assessment.id"), unique=True)
    correction_reason: Mapped[str | None] = mapped_column(String(400))
    bundle: Mapped[str] = mapped_column(String(12))
    site: Mapped[str] = mapped_column(String(80), default="this-unit")
    code_version: Mapped[str] = mapped_column(String(40))
    input_hashes: Mapped[dict[str, str]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(15), index=True)
    score: Mapped[float | None] = mapped_column(Float)
    result: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(index=True)
    created_by: Mapped[str] = mapped_column(String(80))
    signed_at: Mapped[datetime | None]
    signed_by: Mapped[str | None] = mapped_column(String(80))
    fetus: Mapped[Fetus] = relationship(lazy="joined")
    ctg: Mapped[Examination | None] = relationship(foreign_keys=[ctg_id])
    scan: Mapped[Examination | None] = relationship(foreign_keys=[scan_id])
    reviews: Mapped[list["Review"]] = relationship(back_populates="assessment", order_by="Review.id")
    notes: Mapped[list["Note"]] = relationship(back_populates="assessment", order_by="Note.id")

    @property
    def dated(self) -> Examination | None:
        """The examination whose gestational age stands for the assessment: the first with a known one."""
        examinations = [e for e in (self.ctg, self.scan) if e is not None]
        return next(
            (e for e in examinations if e.gestational_age_days is not None), examinations[0] if examinations else None
        )

    @property
    def woman(self) -> Woman:
        """The woman who carries this fetus."""
        return self.fetus.pregnancy.woman


class Review(Base):
    """A clinician's verdict on an assessment."""

    __tablename__ = "review"

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessment.id"), index=True)
    verdict: Mapped[str] = mapped_column(String(12))
    reason: Mapped[str] = mapped_column(String(80), default="")
    text: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(80))
    assessment: Mapped[Assessment] = relationship(back_populates="reviews")


class Note(Base):
    """A free note on an assessment."""

    __tablename__ = "note"

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessment.id"), index=True)
    text: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(80))
    assessment: Mapped[Assessment] = relationship(back_populates="notes")


# Assessments that a later one replaced.
REPLACED = select(Assessment.supersedes_id).where(Assessment.supersedes_id.is_not(None))
# What a row of a list shows beside the assessment itself: read for all rows at once.
ROW = (selectinload(Assessment.ctg), selectinload(Assessment.scan), selectinload(Assessment.reviews))


def worklist(
    session: Session, *, state: str = "", search: str = "", mine: str = "", limit: int = 100
) -> list[Assessment]:
    """Current assessments: unreviewed first, then by state, score and age of the result."""
    reviewed = select(Review.assessment_id)
    order = case({name: rank for rank, name in enumerate(STATES)}, value=Assessment.state, else_=9)
    query = (
        select(Assessment)
        .join(Assessment.fetus)
        .join(Fetus.pregnancy)
        .join(Pregnancy.woman)
        .where(Assessment.id.not_in(REPLACED))
        .order_by(
            case((Assessment.id.in_(reviewed), 1), else_=0),
            order,
            Assessment.score.desc().nulls_last(),
            Assessment.created_at.desc(),
        )
        .limit(limit)
        .options(*ROW)
    )
    if state:
        query = query.where(Assessment.state == state)
    if mine:
        query = query.where(Assessment.created_by == mine)
    if search:
        query = query.where(Woman.pseudonym.icontains(search, autoescape=True))
    return list(session.scalars(query))


def current_examinations(session: Session, fetus: Fetus) -> list[Examination]:
    """Examinations of a fetus in assessments that nothing replaced: an earlier time of one does not count."""
    query = select(Assessment).where(Assessment.fetus_id == fetus.id, Assessment.id.not_in(REPLACED)).options(*ROW)
    return [each for row in session.scalars(query) for each in (row.ctg, row.scan) if each is not None]


def of_woman(session: Session, woman: Woman) -> list[Assessment]:
    """All assessments of a woman, newest first."""
    query = (
        select(Assessment)
        .join(Assessment.fetus)
        .join(Fetus.pregnancy)
        .where(Pregnancy.woman_id == woman.id)
        .order_by(Assessment.created_at.desc(), Assessment.id.desc())
        .options(*ROW)
    )
    return list(session.scalars(query))


def find(session: Session, identifier: int) -> Assessment:
    """The assessment.

    Raises
    ------
    NotFoundError
        There is none of this number.
    """
    assessment = session.get(Assessment, identifier)
    if assessment is None:
        raise NotFoundError(f"assessment {identifier}")
    return assessment


def superseded_by(session: Session, assessment: Assessment) -> Assessment | None:
    """The correction that replaces this assessment, if any."""
    return session.scalar(select(Assessment).where(Assessment.supersedes_id == assessment.id))
