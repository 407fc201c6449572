"""Guidelines as pure functions of findings: the class, the criterion that fired in words, what could not be judged."""

from models.ctg.analysis import CtgAnalysis
from models.ctg.guidelines import dawes_redman, figo, nice, nichd
from models.ctg.guidelines.findings import GuidelineClass, Statements, findings

__all__ = ["GuidelineClass", "Statements", "classify"]


def classify(analysis: CtgAnalysis, stage: str, stated: Statements | None = None) -> tuple[GuidelineClass, ...]:
    """Every rule set that fits the stage: labour, antepartum, or all where it is not known."""
    if analysis.quality.refusal:
        return ()
    found = findings(analysis)
    intrapartum = (figo.classify(found), nichd.classify(found, stated), nice.classify(found, stated))
    antepartum = (dawes_redman.classify(found, stage, stated),)
    return {"labour": intrapartum, "antepartum": antepartum}.get(stage, intrapartum + antepartum)
