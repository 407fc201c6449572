"""Retraining from the application: one run at a time; a finished candidate is registered, not promoted."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from app.bundles.service import BundleRegistry
from app.bundles.store import BundleRow, latest
from app.errors import NotFoundError
from app.retraining import hospitals
from app.settings import Settings
from app.transactions import attempt
from federated.plan import Plan, load, shipped_plans
from federated.run import control
from federated.run.lock import take
from federated.run.status import RunStatus, all_runs, read_status
from models.errors import FetalHealthError, InputError


def folder(settings: Settings) -> Path:
    """The folder that holds all runs."""
    return settings.home.resolve() / "runs"


def find(settings: Settings, name: str) -> Path:
    """The folder of a run.

    Raises
    ------
    NotFoundError
        There is no such run.
    """
    path = folder(settings) / name
    if "/" in name or "\\" in name or name.startswith(".") or not (path / "plan.toml").exists():
        raise NotFoundError(f"run {name!r}")
    return path


def check(settings: Settings, plan_name: str, sites: Sequence[str]) -> None:
    """Refuse an unknown plan and hospitals that have not joined.

    Raises
    ------
    InputError
        There is no such plan, or a hospital has not joined.
    FetalHealthError
        Hospitals are named, but no federation is set.
    """
    plans = shipped_plans()
    if plan_name not in plans:
        raise InputError(f"no plan {plan_name!r}; there are {', '.join(plans)}")
    if sites:
        joined = {h.name for h in hospitals.federation(settings).hospitals() if h.state == "joined"}
        if unknown := sorted(set(sites) - joined):
            raise InputError(f"{', '.join(unknown)}: not a hospital that has joined")


def start(
    session: Session,
    settings: Settings,
    plan_name: str,
    sites: Sequence[str] = (),
    minimum_sites: int | None = None,
) -> str:
    """Start a shipped plan; returns the run's name.

    Parameters
    ----------
    session : Session
    settings : Settings
    plan_name : str
    sites : sequence of str
        Hospitals that take part; none for a simulation on this machine.
    minimum_sites : int or None
        Fewest hospitals with which the run goes on.

    Raises
    ------
    InputError
        There is no such plan or hospital.
    FetalHealthError
        Another run is in progress, no data are set, or training is not installed.
    """
    check(settings, plan_name, sites)
    plans = shipped_plans()
    plan = load(plans[plan_name])
    if settings.data is None and not plan.synthetic and not sites:
        raise FetalHealthError("set FETAL_HEALTH_DATA to the folder with the data sets and restart the application")
    control.require_training()
    with _alone(settings) as lock:
        path, plan = control.prepare(folder(settings), plan, sites, minimum_sites)
        _launch(session, settings, path, plan, lock)
    return path.name


def resume(session: Session, settings: Settings, name: str) -> None:
    """Resume a stopped, failed or dead run."""
    path = find(settings, name)
    if read_status(path).state not in {"stopped", "failed", "dead"}:
        raise FetalHealthError("only a stopped, failed or dead run can be resumed")
    with _alone(settings) as lock:
        _launch(session, settings, path, load(path / "plan.toml"), lock)


@contextmanager
def _alone(settings: Settings) -> Iterator[int]:
    """The lock of all runs, which a job that is started here goes on to hold.

    Raises
    ------
    FetalHealthError
        Another run holds it.
    """
    folder(settings).mkdir(parents=True, exist_ok=True)
    lock = take(folder(settings) / ".lock")
    if lock is None:
        raise FetalHealthError("another run is in progress; only one can run at a time")
    try:
        yield lock
    finally:
        os.close(lock)


def _launch(session: Session, settings: Settings, path: Path, plan: Plan, lock: int) -> None:
    current = latest(session)
    incumbent = BundleRegistry(settings.home).folder(current.bundle_id) if current else None
    federation = settings.federation if plan.participation.sites else None
    control.start(path, settings.data.resolve() if settings.data else None, incumbent, federation, [lock])


def collect(sessions: sessionmaker[Session], settings: Settings) -> list[RunStatus]:
    """Return all runs; candidate bundles of finished runs are registered as well."""
    runs = all_runs(folder(settings))
    with sessions() as session:
        registered = set(session.scalars(select(BundleRow.identifier)))
    for status in runs:
        candidate = folder(settings) / status.name / "candidate"
        if status.state == "finished" and status.candidate not in registered and candidate.exists():
            registry = BundleRegistry(settings.home)
            register = partial(registry.register, source=candidate, run=status.name, gate=status.gate or "none")
            attempt(sessions, register)
    return runs
