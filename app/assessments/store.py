"""Assessments, reviews and notes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Float,
    ForeignKey,
    Index,
    SmallInteger,
    String,
    Text,
    func,
    select,
    tuple_,
)
from sqlalchemy.orm import Mapped, Session, defer, mapped_column, relationship, selectinload

from app.errors import NotFoundError
from app.orm import Base
from app.paging import SIZE, Page, among, begun_after, between, few, page_of
from app.patients.store import Examination, Fetus, Pregnancy, Woman, begins_with

WITHDRAWN, REPLACED, REVIEWED, OPEN = -1, 0, 1, 2


class Assessment(Base):
    """One result: which examinations, which bundle, what came out. Never changed after it is stored.

    `supersedes_id` is the assessment that a correction (a typed head circumference) replaces. `standing` says whether
    this one was entered in error, was replaced, was reviewed, or waits; `priority` and `row` are parts of the result
    (`app.assessments.rows`).
    """

    __tablename__ = "assessment"
    __table_args__ = (
        # The order of the worklist, alone and with a filter before it, with what is looked at along it; and the last
        # ones of a hospital and bundle.
        Index("ix_assessment_worklist", "standing", "priority", "id", "created_at", "fetus_id"),
        Index("ix_assessment_worklist_state", "state", "standing", "priority", "id", "created_at", "fetus_id"),
        Index("ix_assessment_worklist_by", "created_by", "standing", "priority", "id", "created_at", "fetus_id"),
        Index("ix_assessment_monitored", "site", "bundle", "id", "standing"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    fetus_id: Mapped[int] = mapped_column(ForeignKey("fetus.id"), index=True)
    ctg_id: Mapped[int | None] = mapped_column(ForeignKey("examination.id"))
    scan_id: Mapped[int | None] = mapped_column(ForeignKey("examination.id"))
    supersedes_id: Mapped[int | None] = mapped_column(ForeignKey("assessment.id"), index=True, unique=True)
    correction_reason: Mapped[str | None] = mapped_column(String(400))
    bundle: Mapped[str] = mapped_column(String(12))
    site: Mapped[str] = mapped_column(String(80), default="this-unit")
    code_version: Mapped[str] = mapped_column(String(40))
    input_hashes: Mapped[dict[str, str]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(15))
    score: Mapped[float | None] = mapped_column(Float)
    standing: Mapped[int] = mapped_column(SmallInteger, default=OPEN)
    priority: Mapped[float] = mapped_column(Float)
    row: Mapped[dict[str, Any]] = mapped_column(JSON)
    result: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(index=True)
    created_by: Mapped[str] = mapped_column(String(80))
    signed_at: Mapped[datetime | None]
    signed_by: Mapped[str | None] = mapped_column(String(80))
    withdrawn_at: Mapped[datetime | None]
    withdrawn_by: Mapped[str | None] = mapped_column(String(80))
    withdrawn_reason: Mapped[str | None] = mapped_column(String(400))
    fetus: Mapped[Fetus] = relationship(lazy="joined")
    ctg: Mapped[Examination | None] = relationship(foreign_keys=[ctg_id])
    scan: Mapped[Examination | None] = relationship(foreign_keys=[scan_id])
    reviews: Mapped[list["Review"]] = relationship(back_populates="assessment", order_by="Review.id")
    notes: Mapped[list["Note"]] = relationship(back_populates="assessment", order_by="Note.id")
    figures: Mapped["Figures"] = relationship()

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


class Figures(Base):
    """What monitoring counts of a result, in a table of its own: rows with whole results are slow to walk along."""

    __tablename__ = "figures"

    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessment.id"), primary_key=True)
    values: Mapped[dict[str, Any]] = mapped_column(JSON)


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


# Only what a row of a list shows: whole results are not read.
ROW = (defer(Assessment.result), defer(Assessment.input_hashes), selectinload(Assessment.reviews))
CURRENT = Assessment.standing > REPLACED
MARK = (Assessment.standing, Assessment.priority, Assessment.id)


@dataclass(frozen=True)
class Filters:
    """Which assessments a list shows; empty values do not filter.

    Attributes
    ----------
    state, patient, search, by : str
        `patient` is a whole pseudonym, `search` the beginning of one; `by` is who asked for the assessment.
    reviewed : bool or None
    since, until : date or None
        Days on which it was made, UTC, both included.
    """

    state: str = ""
    patient: str = ""
    search: str = ""
    by: str = ""
    reviewed: bool | None = None
    since: date | None = None
    until: date | None = None


def worklist(session: Session, filters: Filters, after: str = "", limit: int = SIZE) -> Page[Assessment]:
    """Current assessments: unreviewed first, then the most urgent, then the newest."""
    query = select(Assessment)
    if filters.reviewed is None:
        query = query.where(CURRENT)
    else:
        query = query.where(Assessment.standing == (REVIEWED if filters.reviewed else OPEN))
    if filters.state:
        query = query.where(Assessment.state == filters.state)
    if filters.by:
        query = query.where(Assessment.created_by == filters.by)
    counted = query
    for found, quickly, along in _narrow(session, filters):
        few_ones = [] if found is None else [among(Assessment.id, found)]
        counted = counted.where(*(few_ones or quickly))
        query = query.where(*(few_ones or along))
    order = query.options(*ROW).order_by(*(column.desc() for column in MARK))
    if begun := begun_after(after, (int, float, int)):
        order = order.where(tuple_(*MARK) < begun)
    return page_of(session, counted, order, limit, lambda row: (row.standing, row.priority, row.id))


Conditions = Sequence[ColumnElement[bool]]


def _narrow(session: Session, filters: Filters) -> Iterator[tuple[list[int] | None, Conditions, Conditions]]:
    """Filters that leave few rows most of the time: the rows where they are few, and the conditions otherwise.

    The first conditions find some rows quickly, to count them; the second are looked at along the order of the list.
    """
    if filters.patient or filters.search:
        named = Woman.pseudonym == filters.patient if filters.patient else begins_with(filters.search)
        own = select(Fetus.id).join(Fetus.pregnancy).join(Pregnancy.woman).where(named)
        exists = [own.where(Fetus.id == Assessment.fetus_id).correlate(Assessment).exists()]
        women = few(session, select(Woman.id).where(named))
        hers = select(Fetus.id).join(Fetus.pregnancy).where(among(Pregnancy.woman_id, women or []))
        found = None if women is None else few(session, select(Assessment.id).where(Assessment.fetus_id.in_(hers)))
        yield found, exists, exists
    days = between(Assessment.created_at, filters.since, filters.until)
    if days:
        plain = func.coalesce(Assessment.created_at, Assessment.created_at)  # no index is taken for it
        along = between(plain, filters.since, filters.until)
        yield few(session, select(Assessment.id).where(*days)), days, along


def current_examinations(session: Session, fetus: Fetus) -> list[Examination]:
    """Examinations of a fetus in assessments that nothing replaced: an earlier time of one does not count."""
    both = (selectinload(Assessment.ctg), selectinload(Assessment.scan))
    query = select(Assessment).where(Assessment.fetus_id == fetus.id, CURRENT).options(*ROW, *both)
    return [each for row in session.scalars(query) for each in (row.ctg, row.scan) if each is not None]


def of_woman(session: Session, woman: Woman) -> list[Assessment]:
    """All assessments of a woman, newest first."""
    query = (
        select(Assessment)
        .join(Assessment.fetus)
        .join(Fetus.pregnancy)
        .where(Pregnancy.woman_id == woman.id)
        .order_by(Assessment.created_at.desc(), Assessment.id.desc())
        .options(selectinload(Assessment.ctg), selectinload(Assessment.scan), selectinload(Assessment.reviews))
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


def numbers_of(session: Session, women: Sequence[Woman]) -> dict[int, list[int]]:
    """Numbers of the assessments of each of these women, newest first."""
    query = (
        select(Pregnancy.woman_id, Assessment.id)
        .join(Assessment.fetus)
        .join(Fetus.pregnancy)
        .where(Pregnancy.woman_id.in_([woman.id for woman in women]))
        .order_by(Assessment.created_at.desc(), Assessment.id.desc())
    )
    numbers: dict[int, list[int]] = {}
    for woman, number in session.execute(query):
        numbers.setdefault(woman, []).append(number)
    return numbers


def superseded_by(session: Session, assessment: Assessment) -> Assessment | None:
    """The correction that replaces this assessment, if any."""
    return session.scalar(select(Assessment).where(Assessment.supersedes_id == assessment.id))
