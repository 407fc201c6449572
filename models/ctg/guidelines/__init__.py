"""Guidelines as pure functions of findings: the class, the criteria that are met, and what could not be judged."""

from models.ctg.analysis import CtgAnalysis
from models.ctg.guidelines import dawes_redman, figo, nice, nichd
from models.ctg.guidelines.findings import GuidelineClass, Statements, findings_of

__all__ = ["GuidelineClass", "Statements", "classify"]


def classify(analysis: CtgAnalysis, stage: str, stated: Statements | None = None) -> tuple[GuidelineClass, ...]:
    """Every rule set that fits the stage: labour, antepartum, or all where it is not known."""
    if analysis.quality.refusal:
        return ()
    findings = findings_of(analysis)
    intrapartum = (figo.classify(findings), nichd.classify(findings, stated), nice.classify(findings, stated))
    antepartum = (dawes_redman.classify(findings, stage, stated),)
    return {"labour": intrapartum, "antepartum": antepartum}.get(stage, intrapartum + antepartum)
