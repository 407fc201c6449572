"""Circumstances of an assessment that do not come from the examinations."""

from dataclasses import dataclass

from models.fusion.prior import TRAINING, Prior


@dataclass(frozen=True)
class Circumstances:
    """Settings of the hospital and the pregnancy. They are stored with the answer, so that it can be repeated.

    Attributes
    ----------
    prior : Prior
    scan_valid_days : int
        A scan further from the CTG than this does not enter the score.
    fetuses : int
        Number of fetuses in this pregnancy.
    site : str
        Name of the hospital (a stored key).
    """

    prior: Prior = TRAINING
    scan_valid_days: int = 28
    fetuses: int = 1
    site: str = "this-unit"


ORDINARY = Circumstances()
