"""What clinicians do with a stored assessment: review it, note something, sign it."""

from sqlalchemy.orm import Session

from app.accounts.guards import User
from app.assessments.store import REVIEWED, Assessment, Note, Review, superseded_by
from app.orm import now
from models.errors import FetalHealthError, InputError

VERDICTS = ("agree", "disagree", "cannot tell")
DISAGREE_REASONS = ("trace misread", "measurement wrong", "clinical context", "image not suitable", "other")


def review(session: Session, assessment: Assessment, verdict: str, reason: str, text: str, user: User) -> Review:
    """Record agree, disagree (with a reason) or cannot tell.

    Raises
    ------
    InputError
        The verdict is unknown, or a disagreement comes without a known reason.
    FetalHealthError
        The assessment is signed or replaced.
    """
    require_open(session, assessment)
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
    assessment.standing = REVIEWED
    session.add(row)
    session.flush()
    return row


def note(session: Session, assessment: Assessment, text: str, user: User) -> Note:
    """Add a note; this is also possible after signing."""
    if not text.strip():
        raise InputError("the note is empty")
    row = Note(assessment_id=assessment.id, text=text.strip(), at=now(), by=user.name)
    session.add(row)
    session.flush()
    return row


def sign(session: Session, assessment: Assessment, user: User) -> None:
    """Sign an assessment; reviews and corrections are closed from then on."""
    require_open(session, assessment)
    if not assessment.reviews:
        raise FetalHealthError("agree, disagree or say that you cannot tell before you sign")
    assessment.signed_at, assessment.signed_by = now(), user.name


def since(assessment: Assessment, seen: int) -> str:
    """What was reviewed or signed after the first `seen` reviews, in one sentence without its full stop; or empty."""
    if assessment.withdrawn_at is not None:
        return f"{assessment.withdrawn_by} marked this as entered in error at {assessment.withdrawn_at:%H:%M} UTC"
    if assessment.signed_at is not None:
        return f"{assessment.signed_by} signed this at {assessment.signed_at:%H:%M} UTC"
    later = assessment.reviews[seen:]
    return f"{later[-1].by} reviewed this ({later[-1].verdict}) at {later[-1].at:%H:%M} UTC" if later else ""


def require_open(session: Session, assessment: Assessment) -> None:
    """Refuse to change an assessment that is signed, replaced or entered in error.

    Raises
    ------
    FetalHealthError
        It is signed, was entered in error, or a correction replaced it.
    """
    require_current(session, assessment)
    if assessment.signed_at is not None:
        raise FetalHealthError(f"signed by {assessment.signed_by}; it can no longer be changed")


def require_current(session: Session, assessment: Assessment) -> None:
    """Refuse an assessment that was entered in error or replaced.

    Raises
    ------
    FetalHealthError
        It was.
    """
    if assessment.withdrawn_at is not None:
        raise FetalHealthError(
            f"{assessment.withdrawn_by} marked this as entered in error at {assessment.withdrawn_at:%Y-%m-%d %H:%M} UTC"
        )
    later = superseded_by(session, assessment)
    if later is not None:
        raise FetalHealthError(f"replaced by assessment {later.id}; work on that one")
