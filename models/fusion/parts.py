"""What goes into an assessment, and one modality's part of what comes out."""

from dataclasses import dataclass, field
from typing import Any

from models.ctg.analysis import CtgAnalysis
from models.ctg.guidelines import Statements
from models.ultrasound.biometry import HeadEllipse
from models.ultrasound.growth import AGE_SD_DAYS
from models.ultrasound.image import UltrasoundImage


@dataclass(frozen=True)
class Reason:
    """One signed contribution, in log-odds, in a clinician's words."""

    text: str
    log_odds: float


@dataclass(frozen=True)
class Part:
    """One modality's result.

    Attributes
    ----------
    probability : float or None
        None when it cannot be assessed.
    interval : tuple of float or None
        90 %.
    event : str
        What the probability is of.
    refusal : str or None
        Why there is no probability.
    detail : dict
        Measurements, for display and JSON.
    """

    probability: float | None
    interval: tuple[float, float] | None
    event: str
    refusal: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CtgInput:
    """A table row of named features, or an analysed trace with its stage and what was stated about it."""

    features: dict[str, float] | None = None
    analysis: CtgAnalysis | None = None
    stage: str = "unknown"
    stated: Statements | None = None


@dataclass(frozen=True)
class ScanInput:
    """A scan: an image, a typed head circumference, or both (the typed one overrides, both are kept).

    Attributes
    ----------
    image : UltrasoundImage or None
    head : HeadEllipse or None
        What the segmenter found in the image.
    typed_head_circumference_mm : float or None
    age_days : int or None
        Gestational age at the scan; None when unknown.
    age_source : str
    age_sd_days : float
    """

    image: UltrasoundImage | None = None
    head: HeadEllipse | None = None
    typed_head_circumference_mm: float | None = None
    age_days: int | None = None
    age_source: str = "not given"
    age_sd_days: float = AGE_SD_DAYS
