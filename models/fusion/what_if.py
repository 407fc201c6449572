"""What would change the score: a missing examination added, a finding at its usual value, another prevalence."""

from collections.abc import Iterator
from dataclasses import dataclass

from models.fusion.distress import DistressPart
from models.fusion.growth_contribution import GrowthContribution
from models.fusion.growth_odds import ANCHOR_Z, doppler_term, growth_term
from models.fusion.pooling import FusionRule, fuse
from models.fusion.prior import POPULATION_PRIOR
from models.fusion.terms import Term, log_odds, shifted
from models.growth.dopplers import Dopplers


@dataclass(frozen=True)
class Alternative:
    """One change, and the score that it would give. The state does not follow from the score alone."""

    change: str
    score: float


def alternatives(
    rule: FusionRule, prior: float, distress: DistressPart, growth: GrowthContribution
) -> list[Alternative]:
    """Each change alone, with everything else unchanged.

    Parameters
    ----------
    prior : float
        Probability before either examination.
    """
    trace = distress.distress.term(prior) if distress.distress else None
    changes = []
    for change, distress_term, size_term in _changes(trace, distress, growth, prior):
        if distress_term is not None or size_term is not None:
            probability = fuse(rule, prior, distress_term, size_term).probability
            changes.append(Alternative(change, 100 * probability))
    if distress.severe is not None:
        now = fuse(rule, prior, trace, growth.term).probability
        there = shifted(now, log_odds(POPULATION_PRIOR) - log_odds(prior))
        changes.append(Alternative(f"At a prevalence of {100 * POPULATION_PRIOR:.1f} %", 100 * there))
    return changes


def _changes(
    trace: Term | None, distress: DistressPart, growth: GrowthContribution, prior: float
) -> Iterator[tuple[str, Term | None, Term | None]]:
    has_growth = growth.term is not None
    flow = growth.doppler.log_odds if growth.doppler else 0.0
    verb = "If the weight were" if has_growth else "If a scan showed the weight"
    for words, z in (("on the 50th centile", 0.0), ("well below the 3rd centile", ANCHOR_Z)):
        size = growth_term(z, 0.0)
        yield f"{verb} {words}", trace, Term(size.log_odds + flow, size.sd)
    if growth.size is not None and growth.doppler is None:
        low = doppler_term(Dopplers(cerebroplacental_ratio_below_5th=True))
        assert low is not None
        together = Term(growth.size.log_odds + low.log_odds, growth.size.sd)
        yield "If the cerebroplacental ratio were below the 5th centile", trace, together
    if has_growth:
        yield "Without the scan", trace, None
    if distress.distress is None:
        return
    for name, threshold in zip(("raised", "high"), distress.thresholds, strict=True):
        if not distress.distress.probability >= threshold:
            yield f"If the trace alone were just {name}", Term(log_odds(threshold) - log_odds(prior), 0.0), growth.term
