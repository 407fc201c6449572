"""The patient record: woman, pregnancy, fetus, examination, and the files of examinations."""

import unicodedata
from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, ColumnElement, ForeignKey, LargeBinary, String, UniqueConstraint, and_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship, selectinload

from app.orm import Base
from app.paging import SIZE, Page, among, begun_after, few, page_of
from app.transactions import OutdatedError

# Ordered by code points on both engines, so that an index finds what begins with a text.
BY_BYTES = String(400).with_variant(String(400, collation="C"), "postgresql")
LAST = "\U0010ffff"


def _search_key(context: Any) -> str:
    return search_key(context.get_current_parameters()["pseudonym"])


class Woman(Base):
    """A woman under a pseudonym; `synthetic` marks generated ones wherever they show.

    `version` counts the changes of her record. Who changes it holds her row first (`hold`).
    """

    __tablename__ = "woman"

    id: Mapped[int] = mapped_column(primary_key=True)
    pseudonym: Mapped[str] = mapped_column(String(80), unique=True)
    search_key: Mapped[str] = mapped_column(BY_BYTES, index=True, default=_search_key)
    synthetic: Mapped[bool] = mapped_column(default=False)
    version: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    pregnancies: Mapped[list["Pregnancy"]] = relationship(back_populates="woman", order_by="Pregnancy.id")


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
    """The woman of this pseudonym."""
    return session.scalar(select(Woman).where(Woman.pseudonym == pseudonym))


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


def search_key(pseudonym: str) -> str:
    """The form of a pseudonym by which it is searched: case and width of letters do not count."""
    return unicodedata.normalize("NFKC", pseudonym).casefold()


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
