"""Stored assessments as the REST API returns them."""

from app.assessments.inference import described
from app.assessments.schemas import AssessmentAnswer, AssessmentItem, ExaminationAnswer
from app.assessments.store import Assessment


def answer(assessment: Assessment) -> AssessmentAnswer:
    """A stored assessment as the API returns it."""
    return AssessmentAnswer(
        id=assessment.id,
        url=f"/assessments/{assessment.id}",
        patient=assessment.woman.pseudonym,
        fetus=assessment.fetus.label,
        synthetic_patient=assessment.woman.synthetic,
        created_at=assessment.created_at,
        created_by=assessment.created_by,
        signed_by=assessment.signed_by,
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
