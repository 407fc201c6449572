"""The verdict on growth: one headline, and the findings that stand beside it.

The smaller of abdomen and weight speaks. Consensus criteria of growth restriction come first; below the 10th centile is
small, a weight above the 90th large. Without abdomen and weight growth is not judged, whatever the head shows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy.optimize import brentq

from models.growth.biometry_standards import BIOMETRY
from models.growth.delphi import CANNOT_ASSESS, MET, NOT_EXCLUDED, DelphiAnswer
from models.growth.finding import Finding
from models.growth.measures import AC, BPD, EFW, FL, HC, LABELS
from models.growth.probability import SizeForAge

RESTRICTED, SMALL, APPROPRIATE, LARGE, NOT_JUDGED = (
    "growth restriction criteria met",
    "small",
    "appropriate",
    "large",
    "not judged",
)
SMALL_HEAD_Z, SHORT_FEMUR_Z = -3.0, -2.5
BEHIND_DAYS, ALIKE_DAYS = 14.0, 7.0
DISCORDANT = 0.20
SHORT = {AC: "abdomen", EFW: "weight"}
SAME_SCAN_DAYS = 7


@dataclass(frozen=True)
class Verdict:
    """The headline, and why."""

    verdict: str
    because: str


@dataclass(frozen=True)
class OtherFetus:
    """Another fetus of the same pregnancy.

    Attributes
    ----------
    label : str
    weight_g : float or None
        Estimated weight at the scan nearest in time; None if it was not measured.
    days : int
        Between the two scans.
    """

    label: str
    weight_g: float | None = None
    days: int = 0


def verdict(sizes: Mapping[str, SizeForAge], criteria: DelphiAnswer, not_judged: Sequence[str]) -> Verdict:
    """Judge growth.

    Parameters
    ----------
    sizes : mapping of str to SizeForAge
        By measure, estimated weight included.
    criteria : DelphiAnswer
    not_judged : sequence of str
        Why measures could not be judged.
    """
    if criteria.verdict == MET:
        return Verdict(RESTRICTED, f"{criteria.phase} onset: {', '.join(_shortened(criteria.met))}")
    known = [sizes[measure] for measure in (AC, EFW) if measure in sizes]
    if not known:
        about = [line for line in not_judged if line.startswith((LABELS[AC], LABELS[EFW]))]
        return Verdict(NOT_JUDGED, about[-1] if about else "no abdomen was measured")
    below = [size for size in known if size.centile < 10]
    if below:
        words = _centiles(below)
        if criteria.verdict == CANNOT_ASSESS:
            return Verdict(SMALL, f"{words}; {criteria.reason}")
        unsure = "; growth restriction is not excluded" if criteria.verdict == NOT_EXCLUDED else ""
        return Verdict(SMALL, words + unsure)
    if EFW in sizes and sizes[EFW].centile > 90:
        return Verdict(LARGE, _centiles([sizes[EFW]]))
    smaller = min(known, key=lambda size: size.z_score)
    unknown = "" if len(known) > 1 else f"; the {SHORT[EFW if AC in sizes else AC]} is not judged"
    return Verdict(APPROPRIATE, _centiles([smaller]) + unknown)


def _shortened(met: Sequence[str]) -> list[str]:
    """Below the 3rd centile says below the 10th as well."""
    stricter = {name.replace("3rd", "10th") for name in met if "below the 3rd" in name}
    return [name for name in met if name not in stricter]


def _centiles(sizes: Sequence[SizeForAge]) -> str:
    return ", ".join(f"{SHORT[size.measure]} on centile {size.centile_text}" for size in sizes)


def size_findings(sizes: Mapping[str, SizeForAge], age_days: float, first_trimester: bool) -> list[Finding]:
    """Head, femur, and a lag of all measures.

    Parameters
    ----------
    first_trimester : bool
        The age comes from the first trimester, so that it is not in doubt.
    """
    findings = []
    if HC in sizes and sizes[HC].z_score < SMALL_HEAD_Z:
        findings.append(Finding("head below -3 SD", f"head circumference {sizes[HC].z_score:+.1f} SD"))
    if FL in sizes and sizes[FL].z_score < SHORT_FEMUR_Z:
        findings.append(Finding("short femur", f"femur length {sizes[FL].z_score:+.1f} SD (below -2.5)"))
    behind = None if first_trimester else _all_behind(sizes, age_days)
    if behind is not None:
        weeks, days = divmod(round(age_days - behind), 7)
        text = f"all measures agree with an age {weeks * 7 + days} days younger: wrong dates or symmetric restriction"
        findings.append(Finding("dates or symmetric restriction", text))
    return findings


def _all_behind(sizes: Mapping[str, SizeForAge], age_days: float) -> float | None:
    """The mean age at which these sizes are average, if all of them lag alike; the head and the abdomen are needed."""
    heads = [measure for measure in (HC, BPD) if measure in sizes]
    if not heads or AC not in sizes:
        return None
    ages = [_average_age(sizes[measure]) for measure in (*heads, AC, FL) if measure in sizes]
    if age_days - max(ages) < BEHIND_DAYS or max(ages) - min(ages) > ALIKE_DAYS:
        return None
    return sum(ages) / len(ages)


def _average_age(size: SizeForAge) -> float:
    """The age in days at which this value is the average of its standard; its first or last day beyond them."""
    standard = BIOMETRY[size.measure]
    first, last = 7.0 * standard.first_week, 7.0 * standard.last_week

    def over(days: float) -> float:
        return size.value - standard.curve.value(0.0, days / 7.0)

    if over(first) <= 0:
        return first
    return last if over(last) >= 0 else float(brentq(over, first, last, xtol=0.01))


def twin_findings(weight_g: float | None, others: Sequence[OtherFetus]) -> tuple[list[Finding], list[str]]:
    """Discordance of estimated weights of 20 % or more, of the larger one; and why it is not judged.

    Parameters
    ----------
    weight_g : float or None
        Estimated weight of this fetus.
    """
    findings, not_judged = [], []
    for other in others:
        label = f"Discordance with fetus {other.label}"
        if weight_g is None:
            not_judged.append(f"{label}: the weight of this fetus cannot be estimated")
        elif other.weight_g is None:
            not_judged.append(f"{label}: that fetus has no estimated weight")
        elif other.days > SAME_SCAN_DAYS:
            not_judged.append(f"{label}: that fetus was measured {other.days} days apart (limit {SAME_SCAN_DAYS})")
        else:
            share = abs(weight_g - other.weight_g) / max(weight_g, other.weight_g)
            if share >= DISCORDANT:
                which = "smaller" if weight_g < other.weight_g else "larger"
                text = f"{share:.0%} discordance of weight with fetus {other.label}; this is the {which} one"
                findings.append(Finding("twin discordance", text))
    return findings, not_judged
