"""Stored assessments as the REST API returns them."""

from sqlalchemy.orm import Session

from app.assessments.inference import described
from app.assessments.schemas import AssessmentAnswer, AssessmentItem, ExaminationAnswer, WithdrawalAnswer
from app.assessments.store import Assessment
from app.patients.store import similar_to


def answer(session: Session, assessment: Assessment) -> AssessmentAnswer:
    """A stored assessment as the API returns it."""
    withdrawn = None
    if assessment.withdrawn_at is not None:
        by, reason = assessment.withdrawn_by or "", assessment.withdrawn_reason or ""
        withdrawn = WithdrawalAnswer(at=assessment.withdrawn_at, by=by, reason=reason)
    return AssessmentAnswer(
        id=assessment.id,
        url=f"/assessments/{assessment.id}",
        patient=assessment.woman.pseudonym,
        fetus=assessment.fetus.label,
        synthetic_patient=assessment.woman.synthetic,
        created_at=assessment.created_at,
        created_by=assessment.created_by,
        signed_by=assessment.signed_by,
        entered_in_error=withdrawn,
        similar=[woman.pseudonym for woman in similar_to(session, assessment.woman.pseudonym)],
        code_version=assessment.code_version,
        input_hashes=assessment.input_hashes,
        examinations=[ExaminationAnswer(**described(e)) for e in (assessment.ctg, assessment.scan) if e is not None],
        result=assessment.result,
    )


def listed(row: Assessment) -> AssessmentItem:
    """A stored assessment as a list returns it."""
    return AssessmentItem(
        id=row.id,
        url=f"/assessments/{row.id}",
        patient=row.woman.pseudonym,
        fetus=row.fetus.label,
        synthetic_patient=row.woman.synthetic,
        state=row.state,
        score=row.score,
        why=row.row["why"],
        gestational_age_days=row.row["age_days"],
        reviewed=row.reviews[-1].verdict if row.reviews else None,
        signed_by=row.signed_by,
        created_at=row.created_at,
        created_by=row.created_by,
    )
