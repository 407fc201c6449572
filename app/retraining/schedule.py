"""Starting scheduled runs: a thread of the web process looks once a minute; several workers start a run only once."""

import logging
import threading
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.audit.store import record
from app.orm import now
from app.retraining import service
from app.retraining.store import Schedule, schedules
from app.settings import Settings
from app.transactions import unit_of_work
from app.workers import Workers
from app.workplace import Workplace
from models.errors import FetalHealthError, InputError

_log = logging.getLogger(__name__)
LOOK_S = 60.0
LONGEST_DAYS = 366


def add(
    session: Session,
    settings: Settings,
    plan: str,
    every_days: int,
    first_at: datetime,
    by: str,
    sites: list[str],
    minimum_sites: int | None = None,
) -> Schedule:
    """Schedule a plan.

    Raises
    ------
    InputError
        There is no such plan or hospital, or the time or interval is impossible.
    """
    service.check(settings, plan, sites)
    if not 1 <= every_days <= LONGEST_DAYS:
        raise InputError(f"every {every_days} days: 1 to {LONGEST_DAYS}")
    if first_at < now() - timedelta(minutes=5):
        raise InputError(f"first at {first_at:%Y-%m-%d %H:%M} UTC: this time is in the past")
    schedule = Schedule(
        plan=plan, sites=sorted(sites), minimum_sites=minimum_sites, every_days=every_days, next_at=first_at, by=by
    )
    session.add(schedule)
    session.flush()
    return schedule


def remove(session: Session, identifier: int) -> Schedule:
    """Remove a schedule and return it.

    Raises
    ------
    InputError
        There is no such schedule.
    """
    schedule = session.get(Schedule, identifier)
    if schedule is None:
        raise InputError(f"no schedule {identifier}")
    session.delete(schedule)
    return schedule


def start_due(session: Session, settings: Settings) -> list[str]:
    """Start what is due and return the names of the runs.

    A run that cannot start stores the reason in its schedule and is tried again at its next time.
    """
    started = []
    for schedule in schedules(session):
        moment = now()
        if schedule.next_at > moment or not _claim(session, schedule, moment):
            continue
        try:
            name = service.start(session, settings, schedule.plan, schedule.sites, schedule.minimum_sites)
        except FetalHealthError as error:
            schedule.last_run = f"not started: {error}"[:200]
            record(session, None, "schedule.failed", name=schedule.by, plan=schedule.plan, why=str(error))
            continue
        schedule.last_run = name
        record(session, None, "run.start", name=schedule.by, plan=schedule.plan, run=name, schedule=schedule.id)
        started.append(name)
    return started


def _claim(session: Session, schedule: Schedule, moment: datetime) -> bool:
    """Move the schedule to its next time; False where another worker did so first."""
    due = schedule.next_at
    later = due
    while later <= moment:
        later += timedelta(days=schedule.every_days)
    moved = session.execute(
        update(Schedule).where(Schedule.id == schedule.id, Schedule.next_at == due).values(next_at=later)
    )
    session.refresh(schedule)
    return bool(moved.rowcount)  # type: ignore[attr-defined]


class Clock:
    """The thread that starts what is due.

    Parameters
    ----------
    workers : Workers
        Those that were idle for long are ended.
    place : Workplace
    """

    def __init__(self, workers: Workers, place: Workplace) -> None:
        self.workers = workers
        self.place = place
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="schedule", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and wait for its end."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(LOOK_S):
            self.workers.end_idle()
            try:
                with unit_of_work(self.place.sessions) as session:
                    start_due(session, self.place.settings)
                service.collect(self.place.sessions, self.place.settings)
            except (FetalHealthError, SQLAlchemyError, OSError) as error:
                _log.warning("schedule: %s; the next attempt is in %g s", error, LOOK_S)
