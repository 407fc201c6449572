"""From an upload to a stored assessment: parse, measure, fuse, keep."""

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy.orm import Session

from app.accounts.guards import User
from app.assessments.scans import date_by, entered, parameters_of, scan_input_of
from app.assessments.schemas import AssessmentRequest, CtgRequest, OutlineRequest, ScaleRequest, ScanRequest
from app.assessments.store import Assessment, Note, Review, superseded_by
from app.database import now
from app.monitoring.service import watch
from app.monitoring.store import born
from app.patients.service import age_at, fetus_of
from app.patients.store import Examination, Fetus, StoredFile
from models.bundle import Bundle
from models.ctg import formats as ctg_formats
from models.ctg.analysis import analyse
from models.ctg.guidelines import Statements
from models.ctg.recording import CtgRecording
from models.errors import FetalHealthError, InputError, RangeError
from models.fusion.answer import RiskAssessment
from models.fusion.circumstances import Circumstances
from models.fusion.inputs import CtgInput
from models.fusion.prior import Prior
from models.fusion.risk import assess
from models.ultrasound.image import Scale
from models.ultrasound.interval import MEASURES
from models.version import code_version

Files = Mapping[str, bytes]
# More inferences at once than cores only take memory.
_cores = threading.BoundedSemaphore(max(2, os.cpu_count() or 1))
# What is kept of a CTG request beside its files.
CTG_PARAMETERS = {"features", "sampling_rate_hz", "stage", "channel", "stated"}
# After so many assessments drift is looked at, also where nobody opens the page.
WATCH_EVERY = 20
VERDICTS = ("agree", "disagree", "cannot tell")
DISAGREE_REASONS = ("trace misread", "measurement wrong", "clinical context", "image not suitable", "other")


@dataclass(frozen=True)
class Uploads:
    """Files of one request, by kind and name."""

    ctg: Files
    image: Files


def create(
    session: Session,
    bundle: Bundle,
    request: AssessmentRequest,
    uploads: Uploads,
    user: User,
    circumstances: Circumstances,
) -> Assessment:
    """Assess and store.

    Raises
    ------
    InputError, FetalHealthError
        The request or a file cannot be used; nothing is stored then, for the caller's transaction ends.
    """
    ctg_request = request.ctg or (CtgRequest() if uploads.ctg else None)
    if ctg_request is not None and ctg_request.trace is not None:
        if uploads.ctg:
            raise InputError("send either a CTG file or a CTG trace, not both")
        content = ctg_request.trace.model_dump_json(exclude_none=True).encode()
        uploads = Uploads({"trace.json": content}, uploads.image)
    scan_request = request.scan or (ScanRequest() if uploads.image else None)
    if ctg_request is not None and not uploads.ctg and ctg_request.features is None:
        ctg_request = None
    if scan_request is not None and not uploads.image and not scan_request.typed:
        if scan_request.stated:
            raise InputError(f"{scan_request.stated[0]} needs an image or a typed measure beside it")
        scan_request = None
    if ctg_request is None and scan_request is None:
        raise InputError("nothing to assess: send a CTG (file or features), an ultrasound image, or typed measures")
    if ctg_request is not None and uploads.ctg and ctg_request.features is not None:
        raise InputError("send either a CTG file or CTG features, not both")
    fetus = fetus_of(session, request.patient, request.fetus)
    born_at = born(session, fetus)
    ctg = scan = None
    if ctg_request is not None:
        parameters = ctg_request.model_dump(mode="json", include=CTG_PARAMETERS)
        stored = [StoredFile(name=n[:120], sha256=sha256(c).hexdigest(), content=c) for n, c in uploads.ctg.items()]
        ctg = _examination(
            fetus, born_at, "ctg", ctg_request.performed_at, ctg_request.gestational_age, parameters, stored
        )
    if scan_request is not None:
        stored, scales = entered(scan_request, uploads.image)
        parameters = {**parameters_of(scan_request), "scales": scales}
        scan = _examination(
            fetus, born_at, "scan", scan_request.performed_at, scan_request.gestational_age, parameters, stored
        )
        if scan_request.dates_pregnancy:
            session.add(scan)
            date_by(session, bundle, fetus.pregnancy, scan)
    return _store(session, bundle, fetus, ctg, scan, user, circumstances)


def correct(
    session: Session,
    bundle: Bundle,
    assessment: Assessment,
    changes: Mapping[str, Any],
    reason: str,
    user: User,
    circumstances: Circumstances,
) -> Assessment:
    """A new assessment of the same scan with some of its parameters changed; the old one stays, marked as replaced.

    Parameters
    ----------
    changes : dict
        Parameters of the scan: a typed measure, or what `outline_of` and `scale_of` make.
    """
    _still_open(session, assessment)
    old = assessment.scan
    if old is None:
        raise FetalHealthError("this assessment has no scan to correct")
    if not reason.strip():
        raise InputError("say why the measurement is replaced")
    ctg, files = assessment.ctg, [(file.name, file.sha256, file.content) for file in old.files]
    scan = Examination(
        fetus=assessment.fetus,
        kind="scan",
        performed_at=old.performed_at,
        gestational_age_days=old.gestational_age_days,
        age_source=old.age_source,
        parameters={**old.parameters, **changes},
        files=[StoredFile(name=name, sha256=digest, content=content) for name, digest, content in files],
    )
    made = _store(session, bundle, assessment.fetus, ctg, scan, user, circumstances)
    made.supersedes_id, made.correction_reason = assessment.id, reason.strip()[:400]
    session.flush()
    return made


def outline_of(request: OutlineRequest, user: User) -> dict[str, Any]:
    """The drawn outline with its author and time, as a change for `correct`; it replaces a typed head as well."""
    values = request.model_dump(exclude={"image", "reason"})
    if values["semi_minor"] > values["semi_major"]:
        raise InputError("the minor semi-axis is longer than the major one")
    drawn = {"image": request.image, "ellipse": values, "by": user.name, "at": now().isoformat()}
    return {"outline": drawn, **dict.fromkeys(MEASURES)}


def scale_of(request: ScaleRequest, scan: Examination | None) -> dict[str, Any]:
    """The stated scale of one image, as a change for `correct`; a scale that the file stated is not overruled."""
    pixel_size_mm, source = Scale(request.pixel_size_mm, request.calliper).stated()
    if pixel_size_mm is None:
        raise InputError("give a pixel size or a calliper of known length")
    scales = [dict(scale) for scale in (scan.parameters.get("scales", []) if scan else [])]
    if request.image >= len(scales):
        raise InputError(f"there is no image {request.image + 1} to scale")
    if scales[request.image]["source"] == "DICOM region":
        raise InputError("the file states this image's scale")
    scales[request.image] = {"pixel_size_mm": pixel_size_mm, "source": source}
    return {"scales": scales}


def review(session: Session, assessment: Assessment, verdict: str, reason: str, text: str, user: User) -> Review:
    """Record agree, disagree (with a reason) or cannot tell."""
    _still_open(session, assessment)
    if verdict not in VERDICTS:
        raise InputError(f"a verdict is one of {', '.join(VERDICTS)}")
    if verdict == "disagree" and reason not in DISAGREE_REASONS:
        raise InputError(f"to disagree, give a reason: {', '.join(DISAGREE_REASONS)}")
    row = Review(
        assessment_id=assessment.id,
        verdict=verdict,
        reason=reason if verdict == "disagree" else "",
        text=text.strip(),
        at=now(),
        by=user.name,
    )
    session.add(row)
    session.flush()
    return row


def note(session: Session, assessment: Assessment, text: str, user: User) -> Note:
    """Add a note; also after signing."""
    if not text.strip():
        raise InputError("the note is empty")
    row = Note(assessment_id=assessment.id, text=text.strip(), at=now(), by=user.name)
    session.add(row)
    session.flush()
    return row


def sign(session: Session, assessment: Assessment, user: User) -> None:
    """Sign off: reviews and corrections are closed then."""
    _still_open(session, assessment)
    if not assessment.reviews:
        raise FetalHealthError("agree, disagree or say that you cannot tell before you sign")
    assessment.signed_at, assessment.signed_by = now(), user.name


def _still_open(session: Session, assessment: Assessment) -> None:
    if assessment.signed_at is not None:
        raise FetalHealthError(f"signed by {assessment.signed_by}; it can no longer be changed")
    later = superseded_by(session, assessment)
    if later is not None:
        raise FetalHealthError(f"replaced by assessment {later.id}; work on that one")


def _examination(
    fetus: Fetus,
    born_at: datetime | None,
    kind: str,
    performed_at: datetime | None,
    age: str | None,
    parameters: dict[str, Any],
    files: list[StoredFile],
) -> Examination:
    moment = performed_at or now()
    if born_at is not None and moment > born_at:
        raise RangeError(f"the {kind} of {moment:%Y-%m-%d %H:%M} UTC is after the birth ({born_at:%Y-%m-%d %H:%M} UTC)")
    days, source = age_at(fetus.pregnancy, moment, age)
    return Examination(
        fetus=fetus,
        kind=kind,
        performed_at=moment,
        gestational_age_days=days,
        age_source=source,
        parameters=parameters,
        files=files,
    )


def _store(
    session: Session,
    bundle: Bundle,
    fetus: Fetus,
    ctg: Examination | None,
    scan: Examination | None,
    user: User,
    circumstances: Circumstances,
) -> Assessment:
    session.add_all([examination for examination in (ctg, scan) if examination is not None])
    with _cores:
        here = replace(circumstances, fetuses=max(len(fetus.pregnancy.fetuses), 1))
        result = run(session, bundle, ctg, scan, here)
    session.flush()
    hashes = {file.name: file.sha256 for examination in (ctg, scan) if examination for file in examination.files}
    made = Assessment(
        fetus_id=fetus.id,
        ctg_id=ctg.id if ctg else None,
        scan_id=scan.id if scan else None,
        bundle=bundle.identifier,
        site=circumstances.site,
        code_version=code_version(),
        input_hashes=hashes,
        state=result.state,
        score=result.score,
        result=result.as_dict(),
        created_at=now(),
        created_by=user.name,
    )
    session.add(made)
    session.flush()
    if made.id % WATCH_EVERY == 0:
        watch(session, made.site, bundle)
    return made


def run(
    session: Session,
    bundle: Bundle,
    ctg: Examination | None,
    scan: Examination | None,
    circumstances: Circumstances,
) -> RiskAssessment:
    """The assessment of examinations: the same inputs, earlier scans, circumstances and bundle give the same answer."""
    ctg_input = ctg_input_of(ctg) if ctg else None
    scan_input = scan_input_of(session, bundle, scan) if scan else None
    if ctg is not None and scan is not None and scan_input is not None:
        days = (ctg.performed_at.date() - scan.performed_at.date()).days
        scan_input = replace(scan_input, days_before_ctg=days)
    return assess(bundle, ctg_input, scan_input, circumstances)


def run_again(session: Session, bundle: Bundle, assessment: Assessment) -> list[str]:
    """Where a stored assessment differs when it is made again from its stored inputs; nothing, when it is the same.

    Parameters
    ----------
    bundle : Bundle
        The one that the assessment names.

    Raises
    ------
    FetalHealthError
        It was stored by a version that did not keep the circumstances.
    """
    kept = assessment.result.get("circumstances")
    if not kept:
        raise FetalHealthError(f"assessment {assessment.id} was stored by an earlier version: it cannot be made again")
    circumstances = Circumstances(**{**kept, "prior": Prior(**kept["prior"])})
    made = run(session, bundle, assessment.ctg, assessment.scan, circumstances).as_dict()
    return differences(json.loads(json.dumps(made)), assessment.result)


def differences(made: Any, stored: Any, where: str = "") -> list[str]:
    """Paths at which two JSON values differ, to the last digit."""
    if isinstance(made, dict) and isinstance(stored, dict):
        names = sorted(made.keys() | stored.keys())
        return [line for name in names for line in differences(made.get(name), stored.get(name), f"{where}.{name}")]
    if isinstance(made, list) and isinstance(stored, list) and len(made) == len(stored):
        pairs = enumerate(zip(made, stored, strict=True))
        return [line for number, (a, b) in pairs for line in differences(a, b, f"{where}[{number}]")]
    return [] if made == stored else [f"{where.lstrip('.')}: stored {stored}, now {made}"]


def recording_of(examination: Examination | None) -> CtgRecording | None:
    """The stored trace, or None where there is no CTG or it is a table."""
    if examination is None or not examination.files:
        return None
    files = {file.name: file.content for file in examination.files}
    parameters = examination.parameters
    return ctg_formats.read(files, parameters.get("sampling_rate_hz"), parameters.get("channel"))


def ctg_input_of(examination: Examination) -> CtgInput:
    """Features as typed, or the analysed trace."""
    recording = recording_of(examination)
    if recording is None:
        return CtgInput(features=examination.parameters["features"], age_days=examination.gestational_age_days)
    stage = examination.parameters.get("stage", "unknown")
    stated = Statements(**(examination.parameters.get("stated") or {}))
    known = recording.stage if stage == "unknown" else stage
    return CtgInput(None, analyse(recording), known, stated, examination.gestational_age_days)
