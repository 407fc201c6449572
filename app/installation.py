"""What an installation needs before it serves: schema, first administrator, demonstration patients."""

import secrets
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.accounts.guards import User
from app.accounts.service import create_account
from app.accounts.store import Account, Role
from app.assessments import service
from app.assessments.schemas import AssessmentRequest
from app.assessments.service import Uploads
from app.database import make_engine, migrate, now, session_factory, unit_of_work
from app.patients.schemas import PatientRequest
from app.patients.service import register
from app.patients.store import Woman
from app.registry.service import BundleRegistry
from app.settings import Settings
from models.ctg.synthetic import as_csv, trace
from models.ctg.synthetic_beats import beats
from models.errors import BundleError

ADMINISTRATOR = "admin"


def prepare(settings: Settings, *, demonstration: bool) -> str | None:
    """Migrate, register the shipped bundle, add the first administrator and demonstration patients.

    Returns
    -------
    str or None
        The administrator's random password, once; None if there are accounts already.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    engine = make_engine(settings.database)
    migrate(engine)
    registry = BundleRegistry(settings.home)
    with unit_of_work(session_factory(engine)) as session:
        registry.ensure_shipped(session)
        password = None
        if not session.scalar(select(func.count(Account.id))):
            password = secrets.token_urlsafe(12)
            create_account(session, ADMINISTRATOR, password, Role.ADMINISTRATOR)
    if demonstration:
        with unit_of_work(session_factory(engine)) as session:
            demonstrate(session, registry)
    engine.dispose()
    return password


def demonstrate(session: Session, registry: BundleRegistry) -> None:
    """Four synthetic women, one for each state of the evidence; nothing if any woman is there."""
    if session.scalar(select(func.count(Woman.id))):
        return
    try:
        bundle = registry.get(session)
    except BundleError:
        return
    user = User(0, "demonstration", Role.CLINICIAN)
    today = now()
    settled = trace(minutes=40, accelerations=9, variability_bpm=14, seed=3)
    troubled = beats(minutes=80, baseline_bpm=152, accelerations=0, decelerations=True, loss=0.08, seed=4)
    lost = trace(minutes=25, loss=0.62, seed=5)
    cases = (
        ("DEMO-001 synthetic", 1, 273, as_csv(troubled.recording), "labour", 331.0),
        ("DEMO-002 synthetic", 0, 238, as_csv(settled.recording), "antepartum", 286.0),
        ("DEMO-003 synthetic", 2, 250, as_csv(lost.recording), "unknown", None),
        ("DEMO-004 synthetic", 0, 196, None, "unknown", 258.5),
    )
    for pseudonym, parity, age_days, ctg, stage, circumference in cases:
        due = today.date() + timedelta(days=280 - age_days)
        patient = PatientRequest(pseudonym=pseudonym, due_date=due, dating_method="crown-rump length", parity=parity)
        register(session, patient, synthetic=True)
        request = AssessmentRequest.model_validate(
            {
                "patient": {"pseudonym": pseudonym},
                "ctg": {"stage": stage} if ctg else None,
                "scan": {"head_circumference_mm": circumference} if circumference else None,
            }
        )
        uploads = Uploads({"synthetic.csv": ctg} if ctg else {}, {})
        service.create(session, bundle, request, uploads, user, 28)
