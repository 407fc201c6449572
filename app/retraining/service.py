"""Retraining from the application: one run at a time; a finished candidate is registered, not promoted."""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy.orm import Session

from app.bundles.service import BundleRegistry
from app.bundles.store import BundleRow, latest
from app.retraining import hospitals
from app.settings import Settings
from federated.plan import Plan, load, shipped_plans
from federated.run import control
from federated.run.status import RunStatus, all_runs, read_status
from models.errors import FetalHealthError, InputError


def folder(settings: Settings) -> Path:
    """The folder that holds all runs."""
    return settings.home.resolve() / "runs"


def find(settings: Settings, name: str) -> Path:
    """The folder of a run.

    Raises
    ------
    InputError
        There is no such run.
    """
    path = folder(settings) / name
    if "/" in name or "\\" in name or name.startswith(".") or not (path / "plan.toml").exists():
        raise InputError(f"no run {name!r}")
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
    if any(status.state in {"running", "starting"} for status in all_runs(folder(settings))):
        raise FetalHealthError("another run is in progress; only one can run at a time")
    plan = load(plans[plan_name])
    if settings.data is None and not plan.synthetic and not sites:
        raise FetalHealthError("set FETAL_HEALTH_DATA to the folder with the data sets and restart the application")
    control.require_training()
    path, plan = control.prepare(folder(settings), plan, sites, minimum_sites)
    _launch(session, settings, path, plan)
    return path.name


def resume(session: Session, settings: Settings, name: str) -> None:
    """Resume a stopped, failed or dead run."""
    path = find(settings, name)
    if read_status(path).state not in {"stopped", "failed", "dead"}:
        raise FetalHealthError("only a stopped, failed or dead run can be resumed")
    _launch(session, settings, path, load(path / "plan.toml"))


def _launch(session: Session, settings: Settings, path: Path, plan: Plan) -> None:
    current = latest(session)
    incumbent = BundleRegistry(settings.home).folder(current.bundle_id) if current else None
    federation = settings.federation if plan.participation.sites else None
    control.start(path, settings.data.resolve() if settings.data else None, incumbent, federation)


def collect(session: Session, settings: Settings) -> list[RunStatus]:
    """Return all runs; candidate bundles of finished runs are registered as well."""
    runs = all_runs(folder(settings))
    registry = BundleRegistry(settings.home)
    for status in runs:
        candidate = folder(settings) / status.name / "candidate"
        registered = status.candidate is not None and session.get(BundleRow, status.candidate) is not None
        if status.state == "finished" and not registered and candidate.exists():
            registry.register(session, candidate, run=status.name, gate=status.gate or "none")
    return runs
