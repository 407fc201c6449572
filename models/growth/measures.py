"""What is measured of a fetus: names, plausible ranges, and how well each is measured."""

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
# What a fetus can measure at all, mm: wide enough for disease, narrow enough to catch centimetres.
RANGES = {HC: (40, 450), BPD: (12, 130), OFD: (14, 160), AC: (40, 500), FL: (5, 100)}
NORMAL_90 = float(ndtri(0.95))
# Half-width of the 90 % interval of a typed measure, as a share. Head circumference: 95 % limits of +/- 3.0 % within
# one observer (Sarris I et al. Ultrasound Obstet Gynecol 2012), so 2.5 % at 90 %. The others are assumed to be as
# reproducible as the head: the reference gives no figure for them.
TYPED_ERROR_SHARE = 0.025


@dataclass(frozen=True)
class Measured:
    """One measure with its standard error.

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
    """A measure as a person typed it.

    Raises
    ------
    RangeError
        No fetus measures that; centimetres are the usual reason.
    """
    low, high = RANGES[measure]
    if not low <= value <= high:
        hint = "; lengths are in mm, this looks like cm" if low <= 10 * value <= high and value < low else ""
        raise RangeError(f"{LABELS[measure].lower()} {value:g} mm is outside {low} to {high} mm{hint}")
    return Measured(value, TYPED_ERROR_SHARE * value / NORMAL_90, source)


def corrected(measure: str, value: float) -> Measured:
    """A measure of an outline that a person drew: as reproducible as a typed one."""
    return typed(measure, value, "corrected")


@dataclass(frozen=True)
class Ratio:
    """A ratio of two measures, and why it is not judged."""

    name: str
    value: float
    remark: str = "not judged: table not available"


def ratios(values: dict[str, float]) -> list[Ratio]:
    """HC/AC, FL/AC and the cephalic index, of what is known; their centile tables are not at hand.

    Parameters
    ----------
    values : dict
        mm, by measure.
    """
    pairs = {"HC/AC": (HC, AC), "FL/AC": (FL, AC), "cephalic index": (BPD, OFD)}
    return [Ratio(name, values[a] / values[b]) for name, (a, b) in pairs.items() if a in values and b in values]
