"""Six synthetic women for a first look: traces, phantoms of a head, typed measures and several visits."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.accounts.guards import User
from app.accounts.store import Role
from app.assessments.schemas import AssessmentRequest, Uploads
from app.assessments.service import Assessor
from app.bundles.service import BundleRegistry
from app.orm import now
from app.patients.schemas import PatientRequest
from app.patients.service import register
from app.patients.store import Woman
from models.errors import BundleError
from models.fusion.circumstances import ORDINARY
from models.growth.dating import TERM_DAYS
from models.synthetic.beats import beats
from models.synthetic.heads import head_of, phantom
from models.synthetic.scenes import Scene
from models.synthetic.traces import as_csv, trace
from models.ultrasound import formats
from models.ultrasound.image import UltrasoundImage

PIXEL_SIZE_MM = 0.2


@dataclass(frozen=True)
class Visit:
    """One visit: how many days ago, and what was examined; a head size becomes the picture of a phantom."""

    days_ago: int = 0
    ctg: bytes | None = None
    stage: str = "unknown"
    head_mm: float | None = None
    typed: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A synthetic woman with her age of gestation today and her visits."""

    pseudonym: str
    parity: int
    age_days: int
    visits: tuple[Visit, ...]


def cases() -> tuple[Case, ...]:
    """One case for each state, and growth over two visits."""
    settled = as_csv(Scene(45, 3).level((0.0, 136.0)).vary(11.0).accelerate().done())
    rising = as_csv(Scene(50, 5, 160).level((0, 142), (32, 142), (36, 168), (50, 168)).vary(8.0).done())
    silent = as_csv(Scene(40, 7).level((0.0, 141.0)).vary(9.0).late(28.0).tocogram_off(12.0).done())
    troubled = as_csv(
        beats(minutes=80, baseline_bpm=152, accelerations=0, decelerations=True, loss=0.08, seed=4).recording
    )
    lost = as_csv(trace(minutes=25, loss=0.62, seed=5).recording)
    late = {"abdominal_circumference_mm": 312.0, "femur_length_mm": 68.0, "cerebroplacental_ratio_below_5th": True}
    before = {"head_circumference_mm": 218.0, "abdominal_circumference_mm": 190.0, "femur_length_mm": 41.5}
    return (
        Case("DEMO-001 synthetic", 1, 273, (Visit(0, troubled, "labour", 331.0, late),)),
        Case("DEMO-002 synthetic", 0, 278, (Visit(0, settled, "labour", 338.0),)),
        Case("DEMO-003 synthetic", 2, 250, (Visit(0, lost),)),
        Case(
            "DEMO-004 synthetic",
            0,
            196,
            (
                Visit(28, typed=before),
                Visit(0, head_mm=258.5, typed={"abdominal_circumference_mm": 222.0, "femur_length_mm": 50.0}),
            ),
        ),
        Case("DEMO-005 synthetic", 1, 281, (Visit(0, rising, "labour"),)),
        Case("DEMO-006 synthetic", 0, 276, (Visit(0, silent, "labour"),)),
    )


def demonstrate(session: Session, registry: BundleRegistry) -> None:
    """Store the synthetic women; do nothing where the database holds a woman or no bundle can be used."""
    if session.scalar(select(func.count(Woman.id))):
        return
    try:
        bundle = registry.get(session)
    except BundleError:
        return
    assessor = Assessor(session, bundle, User(None, "demonstration", Role.CLINICIAN), ORDINARY)
    today = now()
    for number, case in enumerate(cases()):
        due = today.date() + timedelta(days=TERM_DAYS - case.age_days)
        patient = PatientRequest(
            pseudonym=case.pseudonym, due_date=due, dating_method="crown-rump length", parity=case.parity
        )
        register(session, patient, synthetic=True)
        session.flush()
        for visit in case.visits:
            when = (today - timedelta(days=visit.days_ago)).isoformat()
            scan = {**visit.typed, "performed_at": when, "pixel_size_mm": PIXEL_SIZE_MM if visit.head_mm else None}
            request = {
                "patient": {"pseudonym": case.pseudonym},
                "ctg": {"stage": visit.stage, "performed_at": when} if visit.ctg else None,
                "scan": scan if visit.head_mm or visit.typed else None,
            }
            uploads = Uploads({"synthetic.csv": visit.ctg} if visit.ctg else {}, _picture(visit.head_mm, number))
            assessor.create(AssessmentRequest.model_validate(request), uploads)


def _picture(head_mm: float | None, seed: int) -> dict[str, bytes]:
    if head_mm is None:
        return {}
    pixels = phantom(head_of(head_mm, PIXEL_SIZE_MM), seed=seed)
    return {"phantom.png": formats.as_png(UltrasoundImage(pixels))}
