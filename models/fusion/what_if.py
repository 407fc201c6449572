"""What would change the score: what is missing filled in, what is known at its ordinary value, another prior."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from models.fusion.distress import AcutePart, shifted
from models.fusion.growth_contribution import ChronicPart
from models.fusion.growth_odds import ANCHOR_Z, doppler_term, growth_term
from models.fusion.pooling import FusionRule, Term, fuse, log_odds
from models.fusion.prior import POPULATION_PRIOR
from models.growth.delphi import Dopplers


@dataclass(frozen=True)
class Alternative:
    """One change, and the score and state that it would give."""

    change: str
    score: float
    state: str


def alternatives(
    rule: FusionRule, prior: float, acute: AcutePart, chronic: ChronicPart, state: Callable[[float], str]
) -> list[Alternative]:
    """Each change alone, everything else as it is.

    Parameters
    ----------
    prior : float
        Before either examination.
    state : callable
        State of a fused probability; cuts stay, and shift with the prior.
    """
    trace = acute.distress.term(prior) if acute.distress else None
    made = []
    for change, acute_term, chronic_term in _changes(trace, acute, chronic, prior):
        if acute_term is not None or chronic_term is not None:
            probability = fuse(rule, prior, acute_term, chronic_term).probability
            made.append(Alternative(change, 100 * probability, state(probability)))
    if acute.severe is not None:
        now = fuse(rule, prior, trace, chronic.term).probability
        there = shifted(now, log_odds(POPULATION_PRIOR) - log_odds(prior))
        made.append(
            Alternative(f"Read where {100 * POPULATION_PRIOR:.1f} of 100 births have it", 100 * there, state(now))
        )
    return made


def _changes(
    trace: Term | None, acute: AcutePart, chronic: ChronicPart, prior: float
) -> Iterator[tuple[str, Term | None, Term | None]]:
    known = chronic.term is not None
    flow = chronic.doppler.log_odds if chronic.doppler else 0.0
    verb = "If the weight were" if known else "If a scan showed the weight"
    for words, z in (("on the 50th centile", 0.0), ("well below the 3rd centile", ANCHOR_Z)):
        size = growth_term(z, 0.0)
        yield f"{verb} {words}", trace, Term(size.log_odds + flow, size.sd)
    if chronic.size is not None and chronic.doppler is None:
        low = doppler_term(Dopplers(cerebroplacental_ratio_below_5th=True))
        assert low is not None
        together = Term(chronic.size.log_odds + low.log_odds, chronic.size.sd)
        yield "If the cerebroplacental ratio were below the 5th centile", trace, together
    if known:
        yield "Without the scan", trace, None
    if acute.distress is None:
        return
    if known:
        yield "Without the CTG", None, chronic.term
    for name, cut in zip(("raised", "high"), acute.cuts, strict=True):
        if not acute.distress.probability >= cut:
            yield f"If the trace alone were just {name}", Term(log_odds(cut) - log_odds(prior), 0.0), chronic.term
