"""What the place decides about an assessment."""

from dataclasses import dataclass

from models.fusion.prior import TRAINING, Prior


@dataclass(frozen=True)
class Circumstances:
    """What the place decides, not the examinations; kept with the answer, so that it can be made again.

    Attributes
    ----------
    prior : Prior
    scan_valid_days : int
        A scan further from the CTG than this stands for itself and does not enter the score.
    fetuses : int
        In this pregnancy.
    site : str
        Name of the place.
    """

    prior: Prior = TRAINING
    scan_valid_days: int = 28
    fetuses: int = 1
    site: str = "this-unit"


ORDINARY = Circumstances()
