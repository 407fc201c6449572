"""From stored examinations to an answer: the same inputs, earlier scans, circumstances and bundle give the same one."""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from app.assessments.scans import Heads, heads_of, scan_input_of
from app.assessments.traces import REUSE, ctg_input_of, for_reuse
from app.patients.store import Examination
from models.bundle import Bundle
from models.fusion.answer import RiskAssessment
from models.fusion.circumstances import Circumstances
from models.fusion.distress import DistressPart, distress_part
from models.fusion.inputs import CtgInput
from models.fusion.risk import assess

LABEL = {"ctg": "CTG", "scan": "Scan"}


@dataclass(frozen=True)
class Earlier:
    """What was computed before from the same files with the same bundle.

    Attributes
    ----------
    ctg : tuple of (CtgInput, DistressPart) or None
        The CTG as it was judged; None: analyse it.
    heads : tuple of HeadEllipse or None
        The head in each image of the scan; None: find them.
    """

    ctg: tuple[CtgInput, DistressPart] | None = None
    heads: Heads | None = None


NOTHING_EARLIER = Earlier()


def infer(
    session: Session,
    bundle: Bundle,
    ctg: Examination | None,
    scan: Examination | None,
    circumstances: Circumstances,
    earlier: Earlier = NOTHING_EARLIER,
    *,
    afresh: bool = False,
) -> dict[str, Any]:
    """Assess examinations; returns the result as it is stored.

    Parameters
    ----------
    earlier : Earlier
        What need not be computed again.
    afresh : bool
        Compute everything, also what was computed a moment ago.
    """
    ctg_input, judged = earlier.ctg or _judged(bundle, ctg, circumstances, afresh)
    scan_input = None
    if scan is not None:
        heads = earlier.heads if earlier.heads is not None else heads_of(bundle, scan, afresh=afresh)
        scan_input = scan_input_of(session, scan, heads)
    if ctg is not None and scan is not None and scan_input is not None:
        days = (ctg.performed_at.date() - scan.performed_at.date()).days
        scan_input = replace(scan_input, days_before_ctg=days)
    answer = assess(bundle, ctg_input, scan_input, circumstances, judged)
    return _with_files(answer, [each for each in (ctg, scan) if each is not None])


def _with_files(answer: RiskAssessment, examinations: list[Examination]) -> dict[str, Any]:
    """The answer with what was found about time and files."""
    result = answer.as_dict()
    for examination in examinations:
        result["warnings"] = [*result["warnings"], *examination.parameters.get("time_warnings", [])]
        remarks = [f"{LABEL[examination.kind]} file: {r}." for r in examination.parameters.get("file_remarks", [])]
        result["remarks"] = [*result["remarks"], *remarks]
    return result


def described(examination: Examination) -> dict[str, Any]:
    """When an examination was made, and at which age, each with its source."""
    return {
        "kind": examination.kind,
        "performed_at": examination.performed_at.isoformat(),
        "performed_at_source": examination.parameters.get("performed_at_source", "not stored"),
        "gestational_age_days": examination.gestational_age_days,
        "age_source": examination.age_source,
    }


def _judged(
    bundle: Bundle, ctg: Examination | None, circumstances: Circumstances, afresh: bool
) -> tuple[CtgInput | None, DistressPart]:
    """Analyse and judge the CTG; of a raw trace, what a later correction needs joins the detail."""
    ctg_input = ctg_input_of(ctg, afresh=afresh) if ctg is not None else None
    judged = distress_part(bundle, ctg_input, circumstances.prior, circumstances.nice)
    if ctg_input is not None and ctg_input.analysis is not None:
        detail = {**judged.part.detail, REUSE: for_reuse(judged, ctg_input.stage)}
        judged = replace(judged, part=replace(judged.part, detail=detail))
    return ctg_input, judged
