"""The patient record: woman, pregnancy, fetus, examination, and the files of examinations."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    ForeignKey,
    LargeBinary,
    String,
    UniqueConstraint,
    and_,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship, selectinload

from app.errors import NotFoundError
from app.orm import Base
from app.paging import SIZE, Page, among, begun_after, few, page_of
from app.patients.names import likenesses, search_key, unique_key
from app.transactions import OutdatedError

# Ordered by code points on both engines, so that an index finds what begins with a text.
BY_BYTES = String(400).with_variant(String(400, collation="C"), "postgresql")
LAST = "\U0010ffff"
MOST_SIMILAR, MOST_TO_MERGE = 20, 500


def _of_pseudonym(form: Callable[[str], str]) -> Any:
    """The default of a column that holds a form of the pseudonym."""
    return lambda context: form(context.get_current_parameters()["pseudonym"])


class Woman(Base):
    """A woman under a pseudonym; `synthetic` marks generated ones wherever they show.

    `version` counts the changes of her record. Who changes it holds her row first (`hold`).
    `unique_key` is None for a name that earlier releases let in: one that another woman has in another case or width,
    or that cannot stand in an address. A merged woman (`merged_into_id`) keeps her row, so that her name leads to the
    other one; `merged` says which rows went over.
    """

    __tablename__ = "woman"

    id: Mapped[int] = mapped_column(primary_key=True)
    pseudonym: Mapped[str] = mapped_column(String(80), unique=True)
    search_key: Mapped[str] = mapped_column(BY_BYTES, index=True, default=_of_pseudonym(search_key))
    unique_key: Mapped[str | None] = mapped_column(String(400), unique=True, default=_of_pseudonym(unique_key))
    alike: Mapped[str] = mapped_column(String(400), index=True, default=_of_pseudonym(lambda n: likenesses(n)[0]))
    alike_joined: Mapped[str] = mapped_column(
        String(400), index=True, default=_of_pseudonym(lambda n: likenesses(n)[1])
    )
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("woman.id"), index=True)
    merged: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    synthetic: Mapped[bool] = mapped_column(default=False)
    version: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    pregnancies: Mapped[list["Pregnancy"]] = relationship(back_populates="woman", order_by="Pregnancy.id")
    merged_into: Mapped["Woman | None"] = relationship(remote_side="Woman.id")

    def rename(self, pseudonym: str) -> None:
        """Give her another pseudonym, with all its forms."""
        self.pseudonym, self.search_key, self.unique_key = pseudonym, search_key(pseudonym), unique_key(pseudonym)
        self.alike, self.alike_joined = likenesses(pseudonym)


class Pregnancy(Base):
    """A pregnancy; once dated, its due date is locked."""

    __tablename__ = "pregnancy"

    id: Mapped[int] = mapped_column(primary_key=True)
    woman_id: Mapped[int] = mapped_column(ForeignKey("woman.id"), index=True)
    due_date: Mapped[date | None]
    dating_method: Mapped[str | None] = mapped_column(String(40))
    parity: Mapped[int | None]
    created_at: Mapped[datetime]
    woman: Mapped[Woman] = relationship(back_populates="pregnancies", lazy="joined")
    fetuses: Mapped[list["Fetus"]] = relationship(back_populates="pregnancy", order_by="Fetus.label")


class Fetus(Base):
    """A fetus: A, or A, B, ... in a multiple pregnancy."""

    __tablename__ = "fetus"
    __table_args__ = (UniqueConstraint("pregnancy_id", "label"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    pregnancy_id: Mapped[int] = mapped_column(ForeignKey("pregnancy.id"), index=True)
    label: Mapped[str] = mapped_column(String(1))
    pregnancy: Mapped[Pregnancy] = relationship(back_populates="fetuses", lazy="joined")
    examinations: Mapped[list["Examination"]] = relationship(back_populates="fetus", order_by="Examination.id")


class Examination(Base):
    """A CTG or a scan, with its own time.

    `gestational_age_days` is computed from the due date, or as given where there is none.
    `parameters` holds what was typed: features, sampling rate, pixel size, head circumference.
    """

    __tablename__ = "examination"

    id: Mapped[int] = mapped_column(primary_key=True)
    fetus_id: Mapped[int] = mapped_column(ForeignKey("fetus.id"), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    performed_at: Mapped[datetime] = mapped_column(index=True)
    gestational_age_days: Mapped[int | None]
    age_source: Mapped[str] = mapped_column(String(80))
    parameters: Mapped[dict[str, Any]] = mapped_column(JSON)
    fetus: Mapped[Fetus] = relationship(back_populates="examinations", lazy="joined")
    files: Mapped[list["StoredFile"]] = relationship(back_populates="examination", order_by="StoredFile.name")

    def again(self, **changed: Any) -> "Examination":
        """A new examination with the same files, and the same values but for those that changed."""
        names = ("fetus", "kind", "performed_at", "gestational_age_days", "age_source", "parameters")
        files = [StoredFile(name=file.name, sha256=file.sha256, content=file.content) for file in self.files]
        return Examination(**{name: getattr(self, name) for name in names} | changed, files=files)


class StoredFile(Base):
    """A file as it was sent, with its hash."""

    __tablename__ = "stored_file"

    id: Mapped[int] = mapped_column(primary_key=True)
    examination_id: Mapped[int] = mapped_column(ForeignKey("examination.id"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    examination: Mapped[Examination] = relationship(back_populates="files")


def woman_by_pseudonym(session: Session, pseudonym: str) -> Woman | None:
    """The woman of this pseudonym, in whatever case and width; the other one where she was merged."""
    exact = session.scalar(select(Woman).where(Woman.pseudonym == pseudonym))
    woman = exact or session.scalar(select(Woman).where(Woman.unique_key == unique_key(pseudonym)))
    return woman.merged_into or woman if woman is not None else None


def woman_of(session: Session, identifier: int) -> Woman:
    """The woman of this number; the other one where she was merged.

    Raises
    ------
    NotFoundError
        There is none.
    """
    woman = session.get(Woman, identifier)
    if woman is None:
        raise NotFoundError(f"patient number {identifier}")
    return woman.merged_into or woman


def named(session: Session, pseudonym: str) -> Woman:
    """As `woman_by_pseudonym`.

    Raises
    ------
    NotFoundError
        There is none.
    """
    woman = woman_by_pseudonym(session, pseudonym)
    if woman is None:
        raise NotFoundError(f"patient {pseudonym}")
    return woman


def similar_to(session: Session, pseudonym: str) -> list[Woman]:
    """Other women whose pseudonyms are easily taken for this one, a few at most."""
    alike, joined = likenesses(pseudonym)
    query = (
        select(Woman)
        .where(or_(Woman.alike == alike, Woman.alike_joined == joined), Woman.pseudonym != pseudonym)
        .where(Woman.merged_into_id.is_(None))
        .order_by(Woman.id)
        .limit(MOST_SIMILAR)
    )
    return list(session.scalars(query))


def merged_into(session: Session, woman: Woman) -> list[Woman]:
    """Records that were merged into this one."""
    return list(session.scalars(select(Woman).where(Woman.merged_into_id == woman.id).order_by(Woman.id)))


def to_merge(session: Session, limit: int = MOST_TO_MERGE) -> list[Woman]:
    """Women whose names earlier releases let in, oldest first: they may be others' under another spelling."""
    query = select(Woman).where(Woman.unique_key.is_(None), Woman.merged_into_id.is_(None)).order_by(Woman.id)
    return list(session.scalars(query.limit(limit)))


def hold(session: Session, woman: Woman, seen: int | None = None) -> None:
    """Hold a woman's record until the transaction ends, and count a change of it.

    Parameters
    ----------
    seen : int or None
        The version on which the change rests; None: everything is read again after this.

    Raises
    ------
    OutdatedError
        Somebody changed her record since that version.
    """
    changed = update(Woman).where(Woman.id == woman.id).values(version=Woman.version + 1)
    if seen is not None:
        changed = changed.where(Woman.version == seen)
    result = session.execute(changed, execution_options={"synchronize_session": False})
    if not result.rowcount:  # type: ignore[attr-defined]
        raise OutdatedError("somebody changed this record meanwhile: look at it again")
    if seen is None:
        session.expire_all()
    else:
        session.refresh(woman, ["version"])


def hold_all(session: Session, *women: Woman) -> None:
    """Hold the records of several women, in the order of their numbers, so that two never wait for each other."""
    for woman in sorted(set(women), key=lambda each: each.id):
        hold(session, woman)


def begins_with(search: str) -> ColumnElement[bool]:
    """Women whose pseudonym begins with `search`."""
    key = search_key(search.strip())
    return and_(Woman.search_key >= key, Woman.search_key < f"{key}{LAST}")


def women(session: Session, search: str = "", after: str = "", limit: int = SIZE) -> Page[Woman]:
    """Women whose pseudonym begins with `search`, newest first."""
    query = select(Woman)
    if search.strip():
        found = few(session, select(Woman.id).where(begins_with(search)))
        query = query.where(begins_with(search) if found is None else among(Woman.id, found))
    order = query.options(selectinload(Woman.pregnancies)).order_by(Woman.id.desc())
    if begun := begun_after(after, (int,)):
        order = order.where(Woman.id < begun[0])
    return page_of(session, query, order, limit, lambda row: (row.id,))
