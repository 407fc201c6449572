"""From stored examinations to the answer; and a stored assessment made again, with what differs."""

import json
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from app.assessments.scans import scan_input_of
from app.assessments.store import Assessment
from app.assessments.traces import ctg_input_of
from app.patients.store import Examination
from models.bundle import Bundle
from models.errors import FetalHealthError
from models.fusion.answer import RiskAssessment
from models.fusion.circumstances import Circumstances
from models.fusion.prior import Prior
from models.fusion.risk import assess


def run(
    session: Session,
    bundle: Bundle,
    ctg: Examination | None,
    scan: Examination | None,
    circumstances: Circumstances,
    *,
    fresh: bool = False,
) -> RiskAssessment:
    """Assess examinations: the same inputs, earlier scans, circumstances and bundle give the same answer.

    Parameters
    ----------
    fresh : bool
        Analyse the trace and segment the images again, whatever is remembered.
    """
    ctg_input = ctg_input_of(ctg, fresh=fresh) if ctg else None
    scan_input = scan_input_of(session, bundle, scan, fresh=fresh) if scan else None
    if ctg is not None and scan is not None and scan_input is not None:
        days = (ctg.performed_at.date() - scan.performed_at.date()).days
        scan_input = replace(scan_input, days_before_ctg=days)
    return assess(bundle, ctg_input, scan_input, circumstances)


def run_again(session: Session, bundle: Bundle, assessment: Assessment) -> list[str]:
    """Return where a stored assessment differs when it is made again; nothing, when it is the same.

    Parameters
    ----------
    bundle : Bundle
        The one that the assessment names.

    Raises
    ------
    FetalHealthError
        It was stored by a version that did not store the circumstances.
    """
    stored = assessment.result.get("circumstances")
    if not stored:
        raise FetalHealthError(f"assessment {assessment.id} was stored by an earlier version: it cannot be made again")
    circumstances = Circumstances(**{**stored, "prior": Prior(**stored["prior"])})
    again = run(session, bundle, assessment.ctg, assessment.scan, circumstances, fresh=True).as_dict()
    if "baseline_trace_bpm" not in assessment.result["distress"]["detail"]:  # stored by an earlier version
        again["distress"]["detail"].pop("baseline_trace_bpm", None)
    return differences(json.loads(json.dumps(again)), assessment.result)


def differences(again: Any, stored: Any, where: str = "") -> list[str]:
    """Paths at which two JSON values differ, to the last digit."""
    if isinstance(again, dict) and isinstance(stored, dict):
        names = sorted(again.keys() | stored.keys())
        return [line for name in names for line in differences(again.get(name), stored.get(name), f"{where}.{name}")]
    if isinstance(again, list) and isinstance(stored, list) and len(again) == len(stored):
        pairs = enumerate(zip(again, stored, strict=True))
        return [line for number, (a, b) in pairs for line in differences(a, b, f"{where}[{number}]")]
    return [] if again == stored else [f"{where.lstrip('.')}: stored {stored}, now {again}"]
