"""The measures of a fetus: names, plausible ranges and measurement errors."""

from dataclasses import dataclass

from scipy.special import ndtri

from models.errors import RangeError

HC = "head_circumference_mm"
BPD = "biparietal_diameter_mm"
OFD = "occipitofrontal_diameter_mm"
AC = "abdominal_circumference_mm"
FL = "femur_length_mm"
EFW = "estimated_weight_g"

LABELS = {
    HC: "Head circumference",
    BPD: "Biparietal diameter",
    OFD: "Occipitofrontal diameter",
    AC: "Abdominal circumference",
    FL: "Femur length",
    EFW: "Estimated weight",
}
# Plausible ranges, mm: wide enough for a sick fetus, narrow enough to detect values typed in centimetres.
RANGES = {HC: (40, 450), BPD: (12, 130), OFD: (14, 160), AC: (40, 500), FL: (5, 100)}
NORMAL_90 = float(ndtri(0.95))
# Half-width of the 90 % interval of a typed measure, as a share of its value. Head circumference: the 95 % limits of
# one observer are +/- 3.0 % (Sarris I et al. Ultrasound Obstet Gynecol 2012), which gives 2.5 % at 90 %. The other
# measures are assumed to be as reproducible as the head, because the reference gives no figure for them.
TYPED_ERROR_SHARE = 0.025


@dataclass(frozen=True)
class Measured:
    """The value of one measure with its standard error.

    Attributes
    ----------
    value : float
        mm.
    error_sd : float
        Standard error, mm.
    source : str
        ``"typed"``, ``"model"`` or ``"corrected"``.
    """

    value: float
    error_sd: float
    source: str


def typed(measure: str, value: float, source: str = "typed") -> Measured:
    """A measure that a person typed, in mm.

    Raises
    ------
    RangeError
        The value is not plausible; often it was typed in centimetres.
    """
    low, high = RANGES[measure]
    if not low <= value <= high:
        hint = "; lengths are in mm, this looks like cm" if low <= 10 * value <= high and value < low else ""
        raise RangeError(f"{LABELS[measure].lower()} {value:g} mm is outside {low} to {high} mm{hint}")
    return Measured(value, TYPED_ERROR_SHARE * value / NORMAL_90, source)


def corrected(measure: str, value: float) -> Measured:
    """A measure of an outline that a person drew. It is taken to be as reproducible as a typed one."""
    return typed(measure, value, "corrected")


@dataclass(frozen=True)
class Ratio:
    """A ratio of two measures, and the reason why it is not judged."""

    name: str
    value: float
    remark: str = "not judged: table not available"


def ratios(values: dict[str, float]) -> list[Ratio]:
    """HC/AC, FL/AC and the cephalic index, where both measures are known. No centile tables are available for them.

    Parameters
    ----------
    values : dict
        Values in mm, by measure.
    """
    pairs = {"HC/AC": (HC, AC), "FL/AC": (FL, AC), "cephalic index": (BPD, OFD)}
    return [Ratio(name, values[a] / values[b]) for name, (a, b) in pairs.items() if a in values and b in values]
