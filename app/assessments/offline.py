"""An assessment that is not stored: it goes the same way as a stored one and is rolled back at its end."""

from typing import Any

from sqlalchemy import Engine

from app.accounts.guards import User
from app.accounts.store import Role
from app.assessments.inference import described
from app.assessments.schemas import AssessmentRequest, Uploads
from app.assessments.service import Assessor
from app.database import make_engine, migrate, session_factory
from models.bundle import Bundle
from models.fusion.circumstances import Circumstances


def scratch() -> Engine:
    """An empty database in memory that ends with the process."""
    engine = make_engine("sqlite://")
    migrate(engine)
    return engine


def assess(
    record: Engine, bundle: Bundle, request: AssessmentRequest, uploads: Uploads, circumstances: Circumstances
) -> dict[str, Any]:
    """The result as browser and REST API give it, with when each examination was made.

    Raises
    ------
    InputError, FetalHealthError
        The request or a file cannot be used.
    """
    with session_factory(record)() as session:
        user = User(None, "command line", Role.CLINICIAN)
        assessment = Assessor(session, bundle, user, circumstances).create(request, uploads)
        examinations = [described(each) for each in (assessment.ctg, assessment.scan) if each is not None]
        result = {**assessment.result, "examinations": examinations}
        session.rollback()
    return result
