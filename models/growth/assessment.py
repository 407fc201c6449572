"""The growth assessment of one scan: size for age, weight, ratios, change since earlier scans, consensus criteria."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from models.errors import InputError, RangeError
from models.growth.biometry_standards import BIOMETRY
from models.growth.dating import hadlock_expected_head_mm
from models.growth.delphi import DelphiAnswer, Dopplers, delphi
from models.growth.measures import AC, EFW, HC, LABELS, Measured, Ratio, ratios
from models.growth.probability import SizeForAge, size_for_age
from models.growth.weight import INTERGROWTH_2020, WEIGHT, judged_by

# Standard error of the age, days, when none is given. The page states this assumption.
AGE_SD_DAYS = 3.0
# The first of these measures that can be judged stands for the size of the fetus. Weight and abdomen come first
# because they define growth restriction.
LEADING = (EFW, AC, HC)


@dataclass(frozen=True)
class Age:
    """Gestational age at the scan.

    Attributes
    ----------
    days : float
    source : str
        How the pregnancy was dated.
    sd_days : float
        Standard error.
    derived_from : tuple of str
        Measures of this scan from which the age was computed; empty when the age does not come from this scan.
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
        Centile (0 to 100) of each measure, on the same standards.
    """

    age_days: float
    centiles: Mapping[str, float]


@dataclass(frozen=True)
class Change:
    """Change of the centile of one measure since an earlier visit."""

    measure: str
    days: float
    from_centile: float
    to_centile: float

    @property
    def centiles_lost(self) -> float:
        """How many centiles the measure fell; negative when it rose."""
        return self.from_centile - self.to_centile


@dataclass(frozen=True)
class GrowthAssessment:
    """Growth at one scan.

    Attributes
    ----------
    age_days, age_sd_days : float
    age_source : str
    sizes : list of SizeForAge
        One for each measure that a standard can judge, estimated weight included.
    leading : str
        The measure that stands for the size of the fetus, one of `LEADING`.
    ratios : list of Ratio
        HC/AC, FL/AC, cephalic index.
    changes : list of Change
        For each measure, the change since the earlier visit from which it fell most.
    delphi : DelphiAnswer
    not_judged : list of str
        One sentence for each thing that could not be judged, with the reason.
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
        """Size for age of the leading measure."""
        return next(size for size in self.sizes if size.measure == self.leading)


def assess_growth(
    measures: Mapping[str, Measured],
    age: Age,
    weight_standard: str = INTERGROWTH_2020.key,
    dopplers: Dopplers | None = None,
    visits: Sequence[Visit] = (),
    congenital_anomaly: bool | None = None,
) -> GrowthAssessment:
    """Judge the growth at one scan from the measures that are known.

    Parameters
    ----------
    measures : mapping of str to Measured
        By measure, mm.
    age : Age
    weight_standard : str
        Key of a chart in `models.growth.weight.WEIGHT`.
    dopplers : Dopplers, optional
    visits : sequence of Visit
        Earlier scans of the same fetus.
    congenital_anomaly : bool or None
        None is unknown.

    Raises
    ------
    InputError
        There is no weight standard of this name.
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
    by_measure = {size.measure: size for size in sizes}
    leading = next((measure for measure in LEADING if measure in by_measure), None)
    if leading is None:
        raise RangeError("; ".join(not_judged) or "neither head, abdomen nor weight is known")
    changes = _changes(by_measure, age, visits)
    answer = delphi(
        age.days,
        by_measure[AC].centile if AC in by_measure else None,
        by_measure[EFW].centile if EFW in by_measure else None,
        dopplers or Dopplers(),
        max((change.centiles_lost for change in changes if change.measure in (AC, EFW)), default=None),
        congenital_anomaly,
    )
    if HC in measures:
        expected = hadlock_expected_head_mm(age.days / 7.0)
        not_judged.append(
            f"Hadlock (1984) expects a head of {expected:.0f} mm; no standard deviation is available to judge by it"
        )
    return GrowthAssessment(
        age_days=age.days,
        age_source=age.source,
        age_sd_days=age.sd_days,
        sizes=sizes,
        leading=leading,
        ratios=ratios({name: measured.value for name, measured in measures.items()}),
        changes=changes,
        delphi=answer,
        not_judged=not_judged,
    )


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
        raise RangeError("the age was computed from measures that enter this very weight, so it has no z-score")
    used = {name: measures[name] for name in formula.needs}
    return size_for_age(standard, used, age.days, age.sd_days, formula.grams, formula.name)


def _changes(sizes: Mapping[str, SizeForAge], age: Age, visits: Sequence[Visit]) -> list[Change]:
    changes = []
    for measure, size in sizes.items():
        earlier = [visit for visit in visits if visit.age_days < age.days and measure in visit.centiles]
        if earlier:
            worst = max(earlier, key=lambda visit: visit.centiles[measure])
            changes.append(Change(measure, age.days - worst.age_days, worst.centiles[measure], size.centile))
    return changes
