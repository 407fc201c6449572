"""Guidelines as functions of a reading: the class now and along the trace, its criteria, and what is not known."""

from models.ctg.guidelines import dawes_redman, nst
from models.ctg.guidelines.criteria import GuidelineClass
from models.ctg.guidelines.figo import FIGO
from models.ctg.guidelines.figo import criteria as figo_criteria
from models.ctg.guidelines.nice import NICE, NICE_2022
from models.ctg.guidelines.nice import criteria as nice_criteria
from models.ctg.guidelines.nichd import NICHD
from models.ctg.guidelines.nichd import criteria as nichd_criteria
from models.ctg.guidelines.statements import Statements
from models.ctg.nice_versions import AMENDED
from models.ctg.reading import Reading

__all__ = ["GuidelineClass", "Statements", "classify"]


def classify(
    reading: Reading,
    stage: str,
    stated: Statements | None = None,
    nice: str = AMENDED,
) -> tuple[GuidelineClass, ...]:
    """Every rule set that fits the stage: labour, antepartum, or all where it is not known.

    Parameters
    ----------
    nice : {"amended", "2022"}
        Which version of the NICE table.
    """
    end = reading.duration_s
    answers: tuple[GuidelineClass, ...] = ()
    if stage != "antepartum":
        rules = NICE if nice == AMENDED else NICE_2022
        answers += (
            FIGO.answer(figo_criteria(reading), end),
            NICHD.answer(nichd_criteria(reading, stated), end),
            rules.answer(nice_criteria(reading, stated, nice), end),
        )
    if stage != "labour":
        answers += (nst.classify(reading), dawes_redman.classify(reading, stated))
    return answers
