"""The growth assessment of one scan: size for age, weight, ratios, change since earlier scans, consensus criteria."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from models.errors import InputError, RangeError
from models.growth.amniotic_fluid import AmnioticFluid, amniotic_fluid_findings
from models.growth.biometry_standards import BIOMETRY
from models.growth.dating import hadlock_expected_head_mm
from models.growth.delphi import QUARTILES_CROSSED, DelphiAnswer, delphi
from models.growth.dopplers import UNKNOWN, Dopplers, doppler_findings
from models.growth.finding import Finding
from models.growth.measures import AC, EFW, HC, LABELS, Measured, Ratio, ratios
from models.growth.probability import SizeForAge, size_for_age
from models.growth.standard import Standard
from models.growth.verdict import OtherFetus, Verdict, size_findings, twin_findings, verdict
from models.growth.weight import FMF_2018, INTERGROWTH_2020, WEIGHT, judged_by

# Standard error of the age, days, when none is given. The page states this assumption.
AGE_SD_DAYS = 3.0
# The chart that reaches furthest judges a weight that the chosen chart is too short for.
LONGEST = FMF_2018


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
    first_trimester : bool
        The pregnancy was dated by a scan in the first trimester, or by assisted conception.
    """

    days: float
    source: str
    sd_days: float = AGE_SD_DAYS
    derived_from: tuple[str, ...] = ()
    first_trimester: bool = False


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
    leading : str or None
        The measure that stands for the size of the fetus: the smaller of weight and abdomen, otherwise the head; None
        where none of them could be judged.
    ratios : list of Ratio
        HC/AC, FL/AC, cephalic index.
    changes : list of Change
        For each measure, the change since the earlier visit from which it fell most.
    delphi : DelphiAnswer
    verdict : Verdict
    findings : list of Finding
        Named findings, those of size first.
    not_judged : list of str
        One sentence for each thing that could not be judged, with the reason.
    notes : list of str
        What a reader must know of the charts used.
    """

    age_days: float
    age_source: str
    age_sd_days: float
    sizes: list[SizeForAge]
    leading: str | None
    ratios: list[Ratio]
    changes: list[Change]
    delphi: DelphiAnswer
    verdict: Verdict
    findings: list[Finding] = field(default_factory=list)
    not_judged: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def size(self) -> SizeForAge | None:
        """Size for age of the leading measure; None without one."""
        return next((size for size in self.sizes if size.measure == self.leading), None)


def assess_growth(
    measures: Mapping[str, Measured],
    age: Age,
    weight_standard: str = INTERGROWTH_2020.key,
    dopplers: Dopplers = UNKNOWN,
    visits: Sequence[Visit] = (),
    congenital_anomaly: bool | None = None,
    others: Sequence[OtherFetus] = (),
    fluid: AmnioticFluid | None = None,
) -> GrowthAssessment:
    """Judge the growth at one scan from the measures that are known.

    Parameters
    ----------
    measures : mapping of str to Measured
        By measure, mm. There may be none: Dopplers alone can meet the criteria of growth restriction.
    age : Age
    weight_standard : str
        Key of a chart in `models.growth.weight.WEIGHT`.
    dopplers : Dopplers
    visits : sequence of Visit
        Earlier scans of the same fetus.
    congenital_anomaly : bool or None
        None is unknown.
    others : sequence of OtherFetus
        The other fetuses of a multiple pregnancy.
    fluid : {"reduced", "normal", "increased"} or None

    Raises
    ------
    InputError
        There is no weight standard of this name.
    """
    if weight_standard not in WEIGHT:
        raise InputError(f"weight standard {weight_standard!r} is not one of {', '.join(WEIGHT)}")
    sizes, not_judged, notes = [], [], []
    for measure, measured in measures.items():
        try:
            sizes.append(_judge(measure, measured, age))
        except RangeError as error:
            not_judged.append(f"{LABELS[measure]}: {error}")
    chart = _chart(weight_standard, measures, age)
    if chart.key != weight_standard:
        chosen = WEIGHT[weight_standard]
        notes.append(f"{chosen.name} ends at {chosen.last_week}+0 weeks: the weight is judged by {chart.name}.")
    try:
        weight = _weight(measures, age, chart)
        if weight:
            sizes.append(weight)
    except RangeError as error:
        not_judged.append(f"{LABELS[EFW]}: {error}")
    by_measure = {size.measure: size for size in sizes}
    changes = _changes(by_measure, age, visits)
    crossing = [change for change in changes if change.measure in (AC, EFW)]
    criteria = delphi(
        age.days,
        by_measure[AC].centile if AC in by_measure else None,
        by_measure[EFW].centile if EFW in by_measure else None,
        dopplers,
        max((change.centiles_lost for change in crossing), default=None),
        congenital_anomaly,
    )
    discordance, not_compared = twin_findings(_grams(measures, chart), others)
    answer = verdict(by_measure, criteria, not_judged)
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
        leading=_leading(by_measure),
        ratios=ratios({name: measured.value for name, measured in measures.items()}),
        changes=changes,
        delphi=criteria,
        verdict=answer,
        findings=[
            *size_findings(by_measure, age.days, age.first_trimester),
            *_crossed(crossing),
            *discordance,
            *doppler_findings(dopplers),
            *amniotic_fluid_findings(fluid),
        ],
        not_judged=not_judged,
        notes=[*notes, *(f"{line}." for line in not_compared)],
    )


def _leading(sizes: Mapping[str, SizeForAge]) -> str | None:
    """The smaller of weight and abdomen, which define growth restriction; otherwise the head."""
    known = [sizes[measure] for measure in (EFW, AC) if measure in sizes]
    if known:
        return min(known, key=lambda size: size.z_score).measure
    return HC if HC in sizes else None


def _crossed(changes: Sequence[Change]) -> list[Finding]:
    """The largest fall of abdomen or weight, if it is more than two quartiles."""
    worst = max(changes, key=lambda change: change.centiles_lost, default=None)
    if worst is None or worst.centiles_lost <= QUARTILES_CROSSED:
        return []
    text = (
        f"{LABELS[worst.measure].lower()} from centile {worst.from_centile:.0f} to {worst.to_centile:.0f} in "
        f"{worst.days:.0f} days"
    )
    return [Finding("centiles crossed", text)]


def _judge(measure: str, measured: Measured, age: Age) -> SizeForAge:
    if measure in age.derived_from:
        raise RangeError("the age was computed from this very measurement, so it has no z-score")
    return size_for_age(BIOMETRY[measure], {measure: measured}, age.days, age.sd_days, lambda v: v[measure])


def _chart(key: str, measures: Mapping[str, Measured], age: Age) -> Standard:
    """The chosen chart, or the longest one after the end of the chosen one, if one of its formulas has its measures."""
    chosen = WEIGHT[key]
    if not 7 * chosen.last_week < age.days <= 7 * LONGEST.last_week:
        return chosen
    return LONGEST if judged_by(LONGEST, {name: m.value for name, m in measures.items()}) else chosen


def _weight(measures: Mapping[str, Measured], age: Age, chart: Standard) -> SizeForAge | None:
    formula = judged_by(chart, {name: m.value for name, m in measures.items()})
    if formula is None:
        return None
    if set(formula.needs) & set(age.derived_from):
        raise RangeError("the age was computed from measures that enter this very weight, so it has no z-score")
    used = {name: measures[name] for name in formula.needs}
    return size_for_age(chart, used, age.days, age.sd_days, formula.grams, formula.name)


def _grams(measures: Mapping[str, Measured], chart: Standard) -> float | None:
    """The estimated weight, which needs no age."""
    values = {name: measured.value for name, measured in measures.items()}
    formula = judged_by(chart, values)
    return formula.grams(values) if formula else None


def _changes(sizes: Mapping[str, SizeForAge], age: Age, visits: Sequence[Visit]) -> list[Change]:
    changes = []
    for measure, size in sizes.items():
        earlier = [visit for visit in visits if visit.age_days < age.days and measure in visit.centiles]
        if earlier:
            worst = max(earlier, key=lambda visit: visit.centiles[measure])
            changes.append(Change(measure, age.days - worst.age_days, worst.centiles[measure], size.centile))
    return changes
