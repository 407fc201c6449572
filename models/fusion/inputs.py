"""Inputs of an assessment: a CTG and a scan."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from models.ctg.analysis import CtgAnalysis
from models.ctg.guidelines import Statements
from models.growth.amniotic_fluid import AmnioticFluid
from models.growth.assessment import Age, Visit
from models.growth.dopplers import UNKNOWN, Dopplers
from models.growth.verdict import OtherFetus
from models.growth.weight import INTERGROWTH_2020
from models.ultrasound.biometry import HeadEllipse
from models.ultrasound.ellipse import Ellipse
from models.ultrasound.image import UltrasoundImage


@dataclass(frozen=True)
class CtgInput:
    """A table row of named features, or an analysed trace with its stage, what was stated about it, and its age."""

    features: dict[str, float] | None = None
    analysis: CtgAnalysis | None = None
    stage: str = "unknown"
    stated: Statements | None = None
    age_days: float | None = None


@dataclass(frozen=True)
class ScanImage:
    """One image of a scan, and the result of the segmenter."""

    pixels: UltrasoundImage
    head: HeadEllipse


@dataclass(frozen=True)
class Outline:
    """An outline of the head that a person drew over an image.

    Attributes
    ----------
    image : int
        Position of the image, from 0.
    ellipse : Ellipse
        In that image's pixels.
    by, at : str
        Author and time.
    """

    image: int
    ellipse: Ellipse
    by: str
    at: str


@dataclass(frozen=True)
class ScanInput:
    """A scan: images, typed measures, or both. A corrected or typed value overrides the model; all are stored.

    Attributes
    ----------
    images : tuple of ScanImage
    outline : Outline or None
    typed : dict
        mm, by measure.
    age : Age or None
        At the scan; None when unknown.
    weight_standard : str
        Key of `models.growth.weight.WEIGHT`.
    dopplers : Dopplers
    visits : tuple of Visit
        Earlier scans of this fetus.
    congenital_anomaly : bool or None
    days_before_ctg : int
        Negative when the scan came later.
    fluid : {"reduced", "normal", "increased"} or None
        Amniotic fluid.
    others : tuple of OtherFetus
        The other fetuses of a multiple pregnancy.
    """

    images: tuple[ScanImage, ...] = ()
    outline: Outline | None = None
    typed: Mapping[str, float] = field(default_factory=dict)
    age: Age | None = None
    weight_standard: str = INTERGROWTH_2020.key
    dopplers: Dopplers = UNKNOWN
    visits: tuple[Visit, ...] = ()
    congenital_anomaly: bool | None = None
    days_before_ctg: int = 0
    fluid: AmnioticFluid | None = None
    others: tuple[OtherFetus, ...] = ()

    @property
    def given(self) -> bool:
        """Whether there is anything to judge: an image, a measure, a Doppler or the amniotic fluid."""
        return bool(self.images or self.typed or self.dopplers.given or self.fluid)
