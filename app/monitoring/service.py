"""Inputs, results and outcomes at a hospital since a bundle serves there, and the alarms that follow.

Synthetic women do not count, nor do assessments that were replaced or entered in error.
"""

from collections import Counter
from dataclasses import asdict
from typing import Any

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.assessments.store import CURRENT, Assessment, Figures
from app.monitoring import alarms
from app.monitoring.drift import LEAST, inputs
from app.monitoring.store import Notice, Outcome, known_notice
from app.orm import now
from app.patients.store import Fetus, Pregnancy, Woman
from models.bundle import Bundle
from models.ctg.acidaemia import MILD, low_ph
from models.drift import PSI_ALARM
from models.evaluation.held_out import reliability

LAST = 1000


def monitored_hospitals(session: Session) -> list[tuple[str, str]]:
    """Hospitals and bundles; the latest used bundle comes first."""
    pairs: list[tuple[str, str]] = []
    # From one to the next through the index: no row between is read.
    site = session.scalar(select(func.min(Assessment.site)))
    while site is not None:
        own = select(func.min(Assessment.bundle)).where(Assessment.site == site)
        bundle = session.scalar(own)
        while bundle is not None:
            pairs.append((site, bundle))
            bundle = session.scalar(own.where(Assessment.bundle > bundle))
        site = session.scalar(select(func.min(Assessment.site)).where(Assessment.site > site))
    return sorted(pairs, key=lambda pair: -_last_of(session, *pair))


def _last_of(session: Session, hospital: str, bundle: str) -> int:
    query = select(func.max(Assessment.id)).where(Assessment.site == hospital, Assessment.bundle == bundle)
    return session.scalar(query) or 0


def report(session: Session, hospital: str, bundle: Bundle) -> dict[str, Any]:
    """All figures of one hospital and bundle, and the alarms that follow."""
    bundle_id = bundle.identifier
    rows = _rows(session, hospital, bundle_id)
    drifts = inputs(rows, bundle)
    rates = _rates(rows)
    outcomes = _outcomes(session, hospital, bundle_id)
    raised = [*alarms.of_rates(rates), *alarms.of_drift(drifts), *alarms.of_outcomes(outcomes)]
    return {
        "site": hospital,
        "bundle": bundle_id,
        "assessments": len(rows),
        "least": LEAST,
        "rates": rates,
        "drift": [asdict(drift) for drift in sorted(drifts, key=lambda d: -d.psi / max(d.psi_noise, PSI_ALARM))],
        "outcomes": outcomes,
        "alarms": [asdict(alarm) for alarm in raised],
    }


def raise_notices(session: Session, hospital: str, bundle: Bundle) -> dict[str, Any]:
    """The report; a notice is raised for every alarm that has none yet."""
    monitored = report(session, hospital, bundle)
    for alarm in monitored["alarms"]:
        if known_notice(session, hospital, bundle.identifier, alarm["what"]) is None:
            session.add(Notice(site=hospital, bundle=bundle.identifier, raised_at=now(), **alarm))
    session.flush()
    return monitored


def _rows(session: Session, hospital: str, bundle_id: str) -> list[dict[str, Any]]:
    query = (
        select(Assessment.state, Assessment.ctg_id, Assessment.scan_id, Figures.values)
        .join(Assessment.figures)
        .join(Assessment.fetus)
        .join(Fetus.pregnancy)
        .join(Pregnancy.woman)
        .where(Assessment.site == hospital, Assessment.bundle == bundle_id, Woman.synthetic.is_(False))
        .where(CURRENT)
        .order_by(Assessment.id.desc())
        .limit(LAST)
    )
    return [
        {"state": state, "ctg": ctg, "scan": scan, **figures} for state, ctg, scan, figures in session.execute(query)
    ]


def _rates(rows: list[dict[str, Any]]) -> dict[str, Any]:
    states = Counter(row["state"] for row in rows)
    with_ctg = [row for row in rows if row["ctg"] is not None]
    with_scan = [row for row in rows if row["scan"] is not None]

    def share(part: int, whole: int) -> float | None:
        return part / whole if whole else None

    return {
        "states": dict(states),
        "ctg_missing": share(len(rows) - len(with_ctg), len(rows)),
        "scan_missing": share(len(rows) - len(with_scan), len(rows)),
        "ctg_refused": share(sum(row["ctg_refusal"] is not None for row in with_ctg), len(with_ctg)),
        "scan_refused": share(sum(row["scan_refusal"] is not None for row in with_scan), len(with_scan)),
        "ctg_given": len(with_ctg),
        "scan_given": len(with_scan),
    }


def _outcomes(session: Session, hospital: str, bundle_id: str) -> dict[str, Any]:
    """Scores compared with the last outcomes; the last assessment of each fetus that predicts the cord pH counts."""
    recent = session.execute(select(Outcome.fetus_id, Outcome.ph).order_by(Outcome.id.desc()).limit(LAST))
    ph_of: dict[int, float] = {}
    for fetus, ph in recent:
        ph_of.setdefault(fetus, ph)
    query = (
        select(Assessment.fetus_id, Assessment.score, Assessment.site, Assessment.bundle)
        .join(Assessment.figures)
        .join(Assessment.fetus)
        .join(Fetus.pregnancy)
        .join(Pregnancy.woman)
        .where(Assessment.fetus_id.in_(ph_of), Woman.synthetic.is_(False), Assessment.score.is_not(None))
        .where(Figures.values["event"].as_string() == MILD.event, CURRENT)
        .order_by(Assessment.id)
    )
    by_fetus = {
        fetus: (float(score or 0.0) / 100.0, ph_of[fetus])
        for fetus, score, *place in (session.execute(query) if ph_of else ())
        if place == [hospital, bundle_id]
    }
    probability = np.array([score for score, _ in by_fetus.values()])
    event = low_ph(np.array([ph for _, ph in by_fetus.values()]), MILD.threshold).astype(bool)
    outcomes: dict[str, Any] = {"births": len(event), "events": int(event.sum()), "event": MILD.event}
    if len(event) == 0:
        return outcomes
    spread = float((probability * (1 - probability)).sum() ** 0.5)
    expected = float(probability.sum())
    return outcomes | {
        "expected": expected,
        "expected_interval": [max(expected - 1.96 * spread, 0.0), min(expected + 1.96 * spread, len(event))],
        "reliability": [asdict(group) for group in reliability(event, probability, min(10, max(1, len(event) // 5)))],
    }
