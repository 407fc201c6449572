"""Growth contribution: the log-odds that the growth of a scan (`models.fusion.growth`) adds to the score.

Growth has its own result in any case. It does not enter the score if the scan is too old, if the two examinations
contradict each other, or if growth cannot be judged.
"""

from dataclasses import dataclass, field

from models.bundle import Bundle
from models.fusion.growth import growth_part
from models.fusion.growth_odds import doppler_term, growth_term, tracked
from models.fusion.inputs import CtgInput, ScanInput
from models.fusion.part import GrowthResult, Reason
from models.fusion.terms import Term
from models.growth.assessment import GrowthAssessment
from models.growth.measures import HC, LABELS
from models.growth.probability import SizeForAge

# Two dates and two ages that disagree by more than an early scan can err by: one of them is wrong.
AGES_DISAGREE_DAYS = 14
LABOUR_FROM_DAYS = 22 * 7
LARGE_WARNING = (
    "Large for its age: a published odds ratio of 1.51 at or above the 97th centile (Yu 2017) is not in the score."
)


@dataclass(frozen=True)
class GrowthContribution:
    """Growth, and what it adds to the score.

    Attributes
    ----------
    part : GrowthResult
    growth : GrowthAssessment or None
    size, doppler : Term or None
        None where size, or Dopplers, do not enter the score.
    refusal : str or None
        Why growth does not enter the score.
    days : int
        From the scan to the CTG.
    warnings : list of str
        What makes the scan or its result untrustworthy.
    remarks : list of str
        How to read the score.
    """

    part: GrowthResult
    growth: GrowthAssessment | None = None
    size: Term | None = None
    doppler: Term | None = None
    refusal: str | None = None
    days: int = 0
    warnings: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def term(self) -> Term | None:
        """Size and Dopplers together."""
        if self.size is None or self.doppler is None:
            return self.size
        return Term(self.size.log_odds + self.doppler.log_odds, (self.size.sd**2 + self.doppler.sd**2) ** 0.5)

    @property
    def head_only(self) -> bool:
        """Whether the size is known from the head alone."""
        return self.growth is None or self.growth.leading == HC

    def size_reasons(self, log_odds: float) -> list[Reason]:
        """The reason for the size, which added these log-odds to the score."""
        if self.growth is None or self.growth.size is None or self.size is None:
            return []
        when = f", {abs(self.days)} days {'before' if self.days > 0 else 'after'} the CTG" if self.days else ""
        return [Reason(_size_words(self.growth.size, self.growth.age_days) + when, log_odds)]

    def reasons(self, log_odds: float) -> list[Reason]:
        """Reasons for size and Dopplers: they share what growth added to the score in proportion to their terms."""
        if self.doppler is None or self.term is None:
            return self.size_reasons(log_odds)
        by_doppler = log_odds * self.doppler.log_odds / self.term.log_odds if self.term.log_odds else 0.0
        flow = "raised" if self.doppler.log_odds > 0 else "not raised"
        return [
            *self.size_reasons(log_odds - by_doppler),
            Reason(f"placental resistance by Doppler: {flow}", by_doppler),
        ]


def growth_contribution(
    bundle: Bundle, ctg: CtgInput | None, scan: ScanInput | None, valid_days: int
) -> GrowthContribution:
    """Judge the scan, and decide whether its growth enters the score.

    Raises
    ------
    InputError, RangeError
        A typed value or age is impossible.
    """
    judged = growth_part(bundle, scan)
    part, growth, warnings = judged.part, judged.growth, list(judged.warnings)
    size_for_age = growth.size if growth is not None else None
    if scan is None or growth is None or size_for_age is None:
        return GrowthContribution(part, growth, refusal=part.refusal, warnings=warnings)
    contradiction = _contradiction(ctg, scan, valid_days)
    if contradiction is not None:
        return GrowthContribution(part, growth, refusal=contradiction, warnings=warnings)
    remarks: list[str] = []
    days = scan.days_before_ctg if ctg is not None else 0
    z_mean, z_sd = tracked(size_for_age.true_z_mean, size_for_age.true_z_sd, days)
    if size_for_age.probability_large > 0.5:
        remarks.append(LARGE_WARNING)
    if days:
        remarks.append(
            f"The scan is {abs(days)} days from the CTG: the size is carried forward to the day of the CTG."
            if days > 0
            else f"The scan is {abs(days)} days from the CTG: the size is carried back to the day of the CTG."
        )
    size = growth_term(z_mean, z_sd, growth.leading == HC)
    return GrowthContribution(
        part, growth, size, doppler_term(scan.dopplers), days=days, warnings=warnings, remarks=remarks
    )


def _contradiction(ctg: CtgInput | None, scan: ScanInput, valid_days: int) -> str | None:
    """Why the two examinations cannot be combined, or None."""
    if ctg is None or (ctg.analysis is None and ctg.features is None) or scan.age is None:
        return None
    days = scan.days_before_ctg
    if abs(days) > valid_days:
        return f"the scan is {abs(days)} days from the CTG (limit {valid_days}); growth does not enter the score"
    then = scan.age.days + days
    if ctg.age_days is not None and abs(ctg.age_days - then) > AGES_DISAGREE_DAYS:
        return (
            f"the ages contradict each other: {_weeks(ctg.age_days)} at the CTG, but {_weeks(then)} by the scan's age; "
            "growth does not enter the score"
        )
    if ctg.stage == "labour" and then < LABOUR_FROM_DAYS:
        when = _weeks(scan.age.days)
        return f"a labour trace with a scan of {when}: not the growth of today; growth does not enter the score"
    return None


def _weeks(days: float) -> str:
    return f"{int(days) // 7}+{int(days) % 7} weeks"


def _size_words(size: SizeForAge, age_days: float) -> str:
    return f"{LABELS[size.measure].lower()} on centile {size.centile_text} for {_weeks(age_days)}"
