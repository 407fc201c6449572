"""What an installation decides about an assessment."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from models.ctg.nice_versions import AMENDED
from models.fusion.prior import TRAINING, Prior


@dataclass(frozen=True)
class Circumstances:
    """What the hospital decides, not the examinations; stored with the answer, so that it can be computed again.

    Attributes
    ----------
    prior : Prior
        How frequent a low cord pH is taken to be.
    scan_valid_days : int
        A scan further from the CTG than this is shown and does not enter the score.
    fetuses : int
        Number of fetuses in this pregnancy.
    nice : {"amended", "2022"}
        Which version of the NICE table grades a labour trace.
    hospital : str
        Name of the hospital; stored under the key ``site``.
    """

    prior: Prior = TRAINING
    scan_valid_days: int = 28
    fetuses: int = 1
    nice: str = AMENDED
    hospital: str = "this-unit"

    def as_dict(self) -> dict[str, Any]:
        """Convert to JSON values; the hospital keeps its stored key ``site``."""
        values = asdict(self)
        values["site"] = values.pop("hospital")
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Circumstances":
        """Read what `as_dict` wrote."""
        fields = {"hospital" if name == "site" else name: value for name, value in values.items()}
        return cls(**{**fields, "prior": Prior(**values["prior"])})


ORDINARY = Circumstances()
