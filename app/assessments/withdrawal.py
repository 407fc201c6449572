"""Assessments that were entered in error, or for another woman: they stay in the record and count nowhere."""

from sqlalchemy.orm import Session

from app.accounts.guards import User
from app.assessments.examined import check_stated, check_woman
from app.assessments.inference import LABEL, Earlier
from app.assessments.review import require_current
from app.assessments.scans import date_by, heads_of, stored_heads
from app.assessments.service import Assessor
from app.assessments.store import WITHDRAWN, Assessment
from app.audit.store import record
from app.monitoring.store import born
from app.orm import now
from app.patients.corrections import stated
from app.patients.service import age_at
from app.patients.store import Examination, Fetus, hold_all, named
from app.transactions import OutdatedError
from models.errors import InputError

OWN_AGE = "as given for this examination"


def withdraw(session: Session, assessment: Assessment, reason: str, user: User) -> list[int]:
    """Mark an assessment and those that it replaced as entered in error; the caller holds the woman's record.

    A due date that its scan gave goes too.

    Returns
    -------
    list of int
        Their numbers, the latest first.

    Raises
    ------
    InputError
        There is no reason.
    FetalHealthError
        It was replaced, or entered in error before.
    """
    reason = stated(reason)
    require_current(session, assessment)
    numbers, moment = [], now()
    each: Assessment | None = assessment
    while each is not None:
        numbers.append(each.id)
        each.standing = WITHDRAWN
        each.withdrawn_at, each.withdrawn_by, each.withdrawn_reason = moment, user.name, reason
        each = session.get(Assessment, each.supersedes_id) if each.supersedes_id else None
    if assessment.scan is not None and _dated(assessment.scan):
        assessment.fetus.pregnancy.due_date = assessment.fetus.pregnancy.dating_method = None
    session.flush()
    return numbers


def _dated(scan: Examination) -> bool:
    """Whether this scan gave the pregnancy its due date."""
    return bool(scan.parameters.get("age_derived_from"))


def move(
    assessor: Assessor, assessment: Assessment, pseudonym: str, label: str, reason: str, identity_reason: str = ""
) -> Assessment:
    """Assess the same examinations again for another woman or fetus; the old assessment is entered in error.

    Ages are those of the other pregnancy.

    Raises
    ------
    NotFoundError
        The other woman is not registered.
    InputError, RangeError
        There is no reason, it is this fetus's already, the files name a third woman and there is no
        `identity_reason`, or the times lie outside the other pregnancy.
    FetalHealthError
        It was replaced, or entered in error before.
    """
    session = assessor.session
    reason = stated(reason)
    woman = named(session, pseudonym)
    hold_all(session, assessment.woman, woman)
    if woman.merged_into_id is not None:
        raise OutdatedError("somebody merged this record meanwhile")
    require_current(session, assessment)
    pregnancy = woman.pregnancies[-1]
    fetus = next((each for each in pregnancy.fetuses if each.label == label), None)
    if fetus is not None and fetus.id == assessment.fetus_id:
        raise InputError(f"this is an assessment of {woman.pseudonym}, fetus {label}, already")
    # Before the assessment: what counts nowhere may not be the other twin's weight or an earlier visit either.
    numbers = withdraw(session, assessment, f"entered for another woman or fetus: {reason}"[:400], assessor.user)
    if fetus is None:
        fetus = Fetus(pregnancy=pregnancy, label=label)
        session.add(fetus)
        session.flush()
    old = [each for each in (assessment.ctg, assessment.scan) if each is not None]
    stated_marks = [mark for each in old for mark in each.parameters.get("identity", [])]
    check_woman(session, woman, stated_marks, (), identity_reason)
    born_at = born(session, fetus)
    ctg, scan = (_of(each, fetus, identity_reason) if each else None for each in (assessment.ctg, assessment.scan))
    for each in (ctg, scan):
        if each is not None:
            check_stated(each.kind, each.performed_at, born_at)
    heads = stored_heads(assessment, assessor.bundle) if scan is not None else None
    if scan is not None and _dated(old[-1]) and pregnancy.due_date is None:
        heads = heads or heads_of(assessor.bundle, scan)
        date_by(session, assessor.bundle, scan, heads)
    newer = assessor.store(fetus, ctg, scan, Earlier(heads=heads))
    record(
        session, assessor.user, "assessment.withdraw", woman=assessment.woman, assessments=numbers, moved_to=newer.id
    )
    record(
        session, assessor.user, "assessment.move", woman=woman, assessment=newer.id, moved_from=numbers, reason=reason
    )
    return newer


def _of(examination: Examination, fetus: Fetus, identity_reason: str) -> Examination:
    """The same examination of another fetus, with the age in that pregnancy."""
    parameters = {name: value for name, value in examination.parameters.items() if name != "age_derived_from"}
    if identity_reason.strip():
        parameters["identity_reason"] = identity_reason.strip()
    days, source = None, "not given"
    if fetus.pregnancy.due_date is not None:
        days, source = age_at(fetus.pregnancy, examination.performed_at, None)
    elif examination.age_source == OWN_AGE:
        days, source = examination.gestational_age_days, OWN_AGE
    return examination.again(fetus=fetus, gestational_age_days=days, age_source=source, parameters=parameters)


def outdated_ages(assessment: Assessment) -> list[str]:
    """Which examinations were judged at an age by a due date that is no longer the pregnancy's, in words."""
    pregnancy = assessment.fetus.pregnancy
    present = f"due date {pregnancy.due_date} "
    return [
        f"The {LABEL[each.kind]} was judged at an age by {each.age_source}, and "
        f"the pregnancy is {f'due {pregnancy.due_date}' if pregnancy.due_date else 'not dated'} now."
        for each in (assessment.ctg, assessment.scan)
        if each is not None and each.age_source.startswith("due date ") and not each.age_source.startswith(present)
    ]
