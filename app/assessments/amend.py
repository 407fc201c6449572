"""Amending an assessment: another time of an examination, or what was left out. The old one stays, as replaced."""

from datetime import datetime

from app.assessments import traces
from app.assessments.examined import STATED, check_stated, check_together
from app.assessments.inference import Earlier
from app.assessments.review import require_open
from app.assessments.scans import heads_of, stored_heads
from app.assessments.schemas import AssessmentRequest, TimeRequest, Uploads
from app.assessments.service import Assessor, ctg_examination, scan_examination, sent
from app.assessments.store import Assessment
from app.monitoring.store import born
from app.patients.service import age_at, fetus_of
from app.patients.store import Examination, Fetus
from models.errors import FetalHealthError, InputError
from models.origin import Origin


def redate(assessor: Assessor, assessment: Assessment, request: TimeRequest) -> Assessment:
    """Assess again with another time of the CTG or the scan, and the gestational age at that time.

    Raises
    ------
    FetalHealthError
        The assessment is signed or replaced, has no such examination, or its scan dated the pregnancy.
    InputError, RangeError
        There is no reason, or the time lies in the future, after the birth or outside the pregnancy.
    """
    require_open(assessor.session, assessment)
    old = assessment.ctg if request.kind == "ctg" else assessment.scan
    if old is None:
        raise FetalHealthError(f"this assessment has no {request.kind} whose time could be corrected")
    if old.parameters.get("age_derived_from"):
        raise FetalHealthError("this scan dated the pregnancy; its time can no longer be changed")
    fetus = assessment.fetus
    check_stated(request.kind, request.performed_at, born(assessor.session, fetus))
    earlier = Earlier(heads=stored_heads(assessment, assessor.bundle))
    if request.kind == "scan":
        earlier = Earlier(traces.reusable(assessment, assessor.bundle, assessor.circumstances), earlier.heads)
    ctg, scan = assessment.ctg, assessment.scan
    redated = _redated(old, fetus, request.performed_at, request.reason.strip())
    ctg, scan = (redated, scan) if request.kind == "ctg" else (ctg, redated)
    return assessor.replace(assessment, ctg, scan, earlier, request.reason, f"{request.kind} time")


def _redated(old: Examination, fetus: Fetus, at: datetime, reason: str) -> Examination:
    """The same examination at another time; the time that the file states stays beside it."""
    days, source = old.gestational_age_days, old.age_source
    if fetus.pregnancy.due_date is not None:
        days, source = age_at(fetus.pregnancy, at, None)
    beside = {"performed_at_source": STATED, "performed_at_reason": reason, "time_warnings": []}
    return old.again(
        performed_at=at, gestational_age_days=days, age_source=source, parameters={**old.parameters, **beside}
    )


def add(assessor: Assessor, assessment: Assessment, request: AssessmentRequest, uploads: Uploads) -> Assessment:
    """Assess again with what was left out: a CTG, a scan, a due date, or the age at an examination.

    Raises
    ------
    FetalHealthError
        The assessment is signed or replaced.
    InputError, RangeError
        Nothing new was sent, what was sent is there already, or it cannot be used.
    """
    session = assessor.session
    require_open(session, assessment)
    fetus = assessment.fetus
    if request.patient.pseudonym != assessment.woman.pseudonym or request.fetus != fetus.label:
        raise InputError("additions are for the woman and the fetus of the assessment")
    ctg_request, scan_request, uploads = sent(request, uploads)
    dated_before = fetus.pregnancy.due_date
    fetus_of(session, request.patient, fetus.label)
    ages = {
        "ctg": request.ctg.gestational_age if request.ctg else None,
        "scan": request.scan.gestational_age if request.scan else None,
    }
    for kind, there, new in (("CTG", assessment.ctg, ctg_request), ("scan", assessment.scan, scan_request)):
        if there is not None and new is not None:
            raise InputError(f"this assessment has a {kind} already; make a new assessment")
    born_at = born(session, fetus)
    ctg, scan = assessment.ctg, assessment.scan
    added: list[tuple[Examination, list[Origin]]] = []
    if ctg_request is not None:
        added.append(ctg_examination(fetus, born_at, ctg_request, uploads))
        ctg = added[-1][0]
    if scan_request is not None:
        added.append(scan_examination(fetus, born_at, scan_request, uploads))
        scan = added[-1][0]
    if len(added) == 2:
        check_together(added[0][1], added[1][1])
    assessor.compare_identity(fetus, added, request.identity_reason or "")
    aged = [_aged(each, ages[each.kind]) if each is not None else None for each in (ctg, scan)]
    if aged == [assessment.ctg, assessment.scan] and dated_before == fetus.pregnancy.due_date:
        raise InputError("nothing was added: send a CTG, a scan, a due date or an age that is missing")
    heads = stored_heads(assessment, assessor.bundle) if scan is assessment.scan else None
    if scan is not None and heads is None:
        heads = heads_of(assessor.bundle, scan)
    what = ", ".join([each.kind for each, _ in added] or ["age"])
    return assessor.replace(assessment, aged[0], aged[1], Earlier(heads=heads), f"added: {what}", what)


def _aged(examination: Examination, given: str | None) -> Examination:
    """The examination with an age where it had none; itself where nothing is added."""
    if examination.id is None or examination.gestational_age_days is not None:
        if given and examination.id is not None:
            raise InputError(f"the age at the {examination.kind} is known already ({examination.age_source})")
        return examination
    days, source = age_at(examination.fetus.pregnancy, examination.performed_at, given)
    if days is None:
        return examination
    return examination.again(gestational_age_days=days, age_source=source)
