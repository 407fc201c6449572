"""Computing a stored assessment again, and where the two differ."""

import json
from typing import Any

from sqlalchemy.orm import Session

from app.assessments.inference import infer
from app.assessments.store import Assessment
from app.assessments.traces import BASELINE, REUSE
from models.bundle import Bundle
from models.errors import FetalHealthError
from models.fusion.circumstances import Circumstances


def run_again(session: Session, bundle: Bundle, assessment: Assessment) -> list[str]:
    """Compute a stored assessment again from its stored files and list where it differs; empty when it is the same.

    Parameters
    ----------
    bundle : Bundle
        The one that the assessment names.

    Raises
    ------
    FetalHealthError
        It was stored by a version that did not store the circumstances.
    """
    stored = assessment.result
    if not stored.get("circumstances"):
        raise FetalHealthError(f"assessment {assessment.id} was stored by an earlier version and cannot be repeated")
    circumstances = Circumstances.from_dict(stored["circumstances"])
    result = infer(session, bundle, assessment.ctg, assessment.scan, circumstances, afresh=True)
    detail = stored["distress"]["detail"]
    for name in (BASELINE, REUSE):  # earlier versions did not store these
        if name not in detail:
            result["distress"]["detail"].pop(name, None)
    return differences(json.loads(json.dumps(result)), stored)


def differences(new: Any, stored: Any, where: str = "") -> list[str]:
    """Paths at which two JSON values differ, to the last digit."""
    if isinstance(new, dict) and isinstance(stored, dict):
        names = sorted(new.keys() | stored.keys())
        return [line for name in names for line in differences(new.get(name), stored.get(name), f"{where}.{name}")]
    if isinstance(new, list) and isinstance(stored, list) and len(new) == len(stored):
        pairs = enumerate(zip(new, stored, strict=True))
        return [line for number, (a, b) in pairs for line in differences(a, b, f"{where}[{number}]")]
    return [] if new == stored else [f"{where.lstrip('.')}: stored {stored}, now {new}"]
