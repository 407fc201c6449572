"""Bundles known to this installation, and which one serves."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from app.orm import Base


class BundleRow(Base):
    """A bundle; its files are in ``bundles/IDENTIFIER`` of the installation's home."""

    __tablename__ = "bundle"

    identifier: Mapped[str] = mapped_column(String(12), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    registered_at: Mapped[datetime]
    run: Mapped[str | None] = mapped_column(String(80))
    gate: Mapped[str] = mapped_column(String(20), default="none")


class BundleFile(Base):
    """A file of a bundle, so that every server on this database can have it."""

    __tablename__ = "bundle_file"

    bundle_id: Mapped[str] = mapped_column(ForeignKey("bundle.identifier"), primary_key=True)
    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)


class Deployment(Base):
    """One promotion; the last row says which bundle serves."""

    __tablename__ = "deployment"

    id: Mapped[int] = mapped_column(primary_key=True)
    bundle_id: Mapped[str] = mapped_column(ForeignKey("bundle.identifier"))
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(80))
    reason: Mapped[str] = mapped_column(String(400))
    bundle: Mapped[BundleRow] = relationship(lazy="joined")


def latest(session: Session) -> Deployment | None:
    """The deployment in force."""
    return session.scalar(select(Deployment).order_by(Deployment.id.desc()).limit(1))


def history(session: Session) -> list[Deployment]:
    """All deployments, newest first."""
    return list(session.scalars(select(Deployment).order_by(Deployment.id.desc())))


def bundles(session: Session) -> list[BundleRow]:
    """All bundles, newest first."""
    return list(session.scalars(select(BundleRow).order_by(BundleRow.registered_at.desc(), BundleRow.identifier)))
