"""The Delphi consensus criteria of fetal growth restriction, with unknown findings.

Gordijn SJ et al. Consensus definition of fetal growth restriction: a Delphi procedure. Ultrasound Obstet Gynecol
2016;48:333-339. A criterion is met, not met or unknown, and an unknown finding is never taken as normal. None of the
criteria uses the head: when only the head was measured, the verdict is "cannot assess".
"""

from collections.abc import Sequence
from dataclasses import dataclass

from models.growth.dopplers import UNKNOWN, Dopplers

RULES = "Delphi consensus 2016"
MET, NOT_MET, NOT_EXCLUDED, CANNOT_ASSESS = "met", "not met", "not excluded", "cannot assess"
LATE_FROM_DAYS = 32 * 7
QUARTILES_CROSSED = 50.0


@dataclass(frozen=True)
class DelphiAnswer:
    """The result of applying the criteria.

    Attributes
    ----------
    phase : {"early", "late"}
        Before 32+0 weeks, or from then on.
    verdict : {"met", "not met", "not excluded", "cannot assess"}
        "not excluded": the known findings do not meet the criteria, but the unknown ones could. "cannot assess":
        neither abdomen nor weight is known and no Doppler finding decides, or there is a congenital anomaly, with
        which the criteria are not valid.
    met, unknown : tuple of str
        The criteria that are met, and those that are unknown.
    reason : str
        One sentence that explains the verdict.
    """

    phase: str
    verdict: str
    met: tuple[str, ...]
    unknown: tuple[str, ...]
    reason: str


Criterion = tuple[str, bool | None]


def any_of(criteria: Sequence[bool | None]) -> bool | None:
    """True if any criterion is true, False if all are false, otherwise unknown (Kleene logic)."""
    return at_least(1, criteria)


def at_least(count: int, criteria: Sequence[bool | None]) -> bool | None:
    """True if at least `count` criteria are true; None (unknown) while the unknown ones could still decide."""
    certain = sum(criterion is True for criterion in criteria)
    possible = certain + sum(criterion is None for criterion in criteria)
    return True if certain >= count else False if possible < count else None


def delphi(
    age_days: float,
    abdominal_centile: float | None,
    weight_centile: float | None,
    dopplers: Dopplers = UNKNOWN,
    centiles_lost: float | None = None,
    congenital_anomaly: bool | None = None,
) -> DelphiAnswer:
    """Apply the consensus criteria.

    Parameters
    ----------
    age_days : float
    abdominal_centile, weight_centile : float or None
        0 to 100.
    dopplers : Dopplers
    centiles_lost : float or None
        Largest fall of the centile of abdomen or weight between visits. More than 50 means more than two quartiles.
    congenital_anomaly : bool or None
        The criteria are valid only without one. Unknown is taken as none, and the caller must say so.
    """
    early = age_days < LATE_FROM_DAYS
    small3 = [_below("abdominal circumference", abdominal_centile, 3), _below("estimated weight", weight_centile, 3)]
    small10 = [_below("abdominal circumference", abdominal_centile, 10), _below("estimated weight", weight_centile, 10)]
    umbilical = ("umbilical-artery PI above the 95th centile", dopplers.umbilical_resistance_raised)
    if early:
        flow = dopplers.umbilical_end_diastolic_flow
        absent = ("absent or reversed end-diastolic flow", None if flow is None else flow != "present")
        uterine = ("uterine-artery PI above the 95th centile", dopplers.uterine_artery_pi_above_95th)
        solitary, combined = [*small3, absent], [umbilical, uterine]
        together = _and(any_of(_values(small10)), any_of(_values(combined)))
    else:
        crossing = (
            "abdomen or weight crossing more than two quartiles",
            None if centiles_lost is None else centiles_lost > QUARTILES_CROSSED,
        )
        either = any_of([dopplers.cerebroplacental_ratio_below_5th, umbilical[1]])
        flows = ("cerebroplacental ratio below the 5th or umbilical-artery PI above the 95th centile", either)
        solitary, combined = small3, [crossing, flows]
        together = at_least(2, [any_of(_values(small10)), crossing[1], either])
    verdict = any_of([*_values(solitary), together])
    criteria = [*solitary, *small10, *combined]
    met = tuple(name for name, value in criteria if value)
    unknown = tuple(name for name, value in criteria if value is None)
    size_known = abdominal_centile is not None or weight_centile is not None
    phase = "early" if early else "late"
    if congenital_anomaly:
        return DelphiAnswer(
            phase, CANNOT_ASSESS, met, unknown, "the criteria are valid only without a congenital anomaly"
        )
    if verdict:
        return DelphiAnswer(phase, MET, met, unknown, "; ".join(met))
    if verdict is False:
        return DelphiAnswer(phase, NOT_MET, met, unknown, "no combination of criteria is met")
    if not size_known:
        reason = "neither abdominal circumference nor weight is known; the head is not one of the criteria"
        return DelphiAnswer(phase, CANNOT_ASSESS, met, unknown, reason)
    reason = "the known findings do not meet the criteria; the unknown findings could still meet them"
    return DelphiAnswer(phase, NOT_EXCLUDED, met, unknown, reason)


def _below(name: str, centile: float | None, limit: float) -> Criterion:
    label = f"{name} below the {limit:.0f}{'rd' if limit == 3 else 'th'} centile"
    return label, None if centile is None else centile < limit


def _values(criteria: Sequence[Criterion]) -> list[bool | None]:
    return [value for _, value in criteria]


def _and(first: bool | None, second: bool | None) -> bool | None:
    return at_least(2, [first, second])
