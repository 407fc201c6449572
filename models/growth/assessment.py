"""From measures and an age to growth: size for age, weight, ratios, velocity, and the consensus criteria."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from models.errors import InputError, RangeError
from models.growth.biometry_standards import BIOMETRY
from models.growth.dating import hadlock_expected_head_mm
from models.growth.delphi import DelphiAnswer, Dopplers, delphi
from models.growth.measures import AC, EFW, HC, LABELS, Measured, Ratio, ratios
from models.growth.probability import SizeForAge, size_for_age
from models.growth.weight import INTERGROWTH_2020, WEIGHT, judged_by

# Assumption, stated on the page: the age's standard error when none is given.
AGE_SD_DAYS = 3.0
# The first of these that can be judged speaks for the fetus's size: weight and abdomen define growth restriction.
LEADING = (EFW, AC, HC)


@dataclass(frozen=True)
class Age:
    """Gestational age at the scan.

    Attributes
    ----------
    days : float
    source : str
    sd_days : float
        Standard error.
    derived_from : tuple of str
        Measures of this very scan from which the age was computed.
    """

    days: float
    source: str
    sd_days: float = AGE_SD_DAYS
    derived_from: tuple[str, ...] = ()


@dataclass(frozen=True)
class Visit:
    """An earlier scan of the same fetus.

    Attributes
    ----------
    age_days : float
    centiles : dict
        By measure, 0 to 100, on the same standards.
    """

    age_days: float
    centiles: Mapping[str, float]


@dataclass(frozen=True)
class Change:
    """What became of one measure's centile since an earlier visit."""

    measure: str
    days: float
    from_centile: float
    to_centile: float

    @property
    def centiles_lost(self) -> float:
        """Positive when the measure fell behind."""
        return self.from_centile - self.to_centile


@dataclass(frozen=True)
class GrowthAssessment:
    """Growth at one scan.

    Attributes
    ----------
    age_days, age_source
    sizes : list of SizeForAge
        Every measure that a standard judges; weight is one of them.
    leading : str
        The measure that speaks for the size, one of `LEADING`.
    ratios : list of Ratio
        HC/AC, FL/AC, cephalic index.
    changes : list of Change
        Against the earlier visit with the largest fall.
    delphi : DelphiAnswer
    not_judged : list of str
        What could not be judged, and why.
    """

    age_days: float
    age_source: str
    age_sd_days: float
    sizes: list[SizeForAge]
    leading: str
    ratios: list[Ratio]
    changes: list[Change]
    delphi: DelphiAnswer
    not_judged: list[str] = field(default_factory=list)

    @property
    def size(self) -> SizeForAge:
        """The leading measure's."""
        return next(size for size in self.sizes if size.measure == self.leading)


def assess_growth(
    measures: Mapping[str, Measured],
    age: Age,
    weight_standard: str = INTERGROWTH_2020.key,
    dopplers: Dopplers | None = None,
    visits: Sequence[Visit] = (),
    congenital_anomaly: bool | None = None,
) -> GrowthAssessment:
    """Judge what is known.

    Raises
    ------
    InputError
        No such weight standard.
    RangeError
        No measure can be judged; the message says why.
    """
    if weight_standard not in WEIGHT:
        raise InputError(f"weight standard {weight_standard!r} is not one of {', '.join(WEIGHT)}")
    sizes, not_judged = [], []
    for measure, measured in measures.items():
        try:
            sizes.append(_judge(measure, measured, age))
        except RangeError as error:
            not_judged.append(f"{LABELS[measure]}: {error}")
    try:
        weight = _weight(measures, age, weight_standard)
        if weight:
            sizes.append(weight)
    except RangeError as error:
        not_judged.append(f"{LABELS[EFW]}: {error}")
    known = {size.measure: size for size in sizes}
    leading = next((measure for measure in LEADING if measure in known), None)
    if leading is None:
        raise RangeError("; ".join(not_judged) or "neither head, abdomen nor weight is known")
    changes = _changes(known, age, visits)
    answer = delphi(
        age.days,
        known[AC].centile if AC in known else None,
        known[EFW].centile if EFW in known else None,
        dopplers or Dopplers(),
        max((c.centiles_lost for c in changes if c.measure in (AC, EFW)), default=None),
        congenital_anomaly,
    )
    if HC in measures:
        expected = hadlock_expected_head_mm(age.days / 7.0)
        not_judged.append(f"Hadlock (1984) expects a head of {expected:.0f} mm; no spread at hand to judge by it")
    shown = ratios({name: m.value for name, m in measures.items()})
    return GrowthAssessment(age.days, age.source, age.sd_days, sizes, leading, shown, changes, answer, not_judged)


def _judge(measure: str, measured: Measured, age: Age) -> SizeForAge:
    if measure in age.derived_from:
        raise RangeError("the age was computed from this very measurement, so it has no z-score")
    return size_for_age(BIOMETRY[measure], {measure: measured}, age.days, age.sd_days, lambda v: v[measure])


def _weight(measures: Mapping[str, Measured], age: Age, key: str) -> SizeForAge | None:
    standard = WEIGHT[key]
    formula = judged_by(standard, {name: m.value for name, m in measures.items()})
    if formula is None:
        return None
    if set(formula.needs) & set(age.derived_from):
        raise RangeError("the age was computed from measures of this very weight, so it has no z-score")
    used = {name: measures[name] for name in formula.needs}
    return size_for_age(standard, used, age.days, age.sd_days, formula.grams, formula.name)


def _changes(known: Mapping[str, SizeForAge], age: Age, visits: Sequence[Visit]) -> list[Change]:
    made = []
    for measure, size in known.items():
        earlier = [visit for visit in visits if visit.age_days < age.days and measure in visit.centiles]
        if earlier:
            worst = max(earlier, key=lambda visit: visit.centiles[measure])
            made.append(Change(measure, age.days - worst.age_days, worst.centiles[measure], size.centile))
    return made
