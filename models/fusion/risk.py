"""From inputs to one `RiskAssessment`: what page, JSON and print all show.

A missing modality, an unusable signal or an unknown age is a state with a reason, never a filled-in
value. With neither modality the answer is "cannot assess".
"""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from models.bundle import Bundle
from models.ctg.analysis import CtgAnalysis
from models.ctg.features import FEATURE_NAMES, FEATURES, FROM_TRACE, vector
from models.ctg.pattern import View, margins
from models.errors import InputError, RangeError
from models.fusion.pooling import Distress, growth_only_cuts, growth_term, pool
from models.ultrasound.biometry import HeadEllipse, HeadMeasurement, measure
from models.ultrasound.growth import AGE_SD_DAYS, GrowthAssessment, assess_growth, error_sd_mm
from models.ultrasound.image import UltrasoundImage

CANNOT_ASSESS, LOW, RAISED, HIGH = "cannot assess", "low", "raised", "high"
# How much wider, in log-odds, the interval of a raw trace is: the transfer from tables is not validated.
TRACE_WIDENING = 1.5
UNLIKE_TRAINING_WIDENING = 2.5
TRANSFER_WARNING = (
    "The pattern model was trained on SisPorto tables of antepartum recordings; its transfer to raw traces is "
    "not validated."
)
UNUSED_WARNING = (
    "Decelerations and variability are measured and shown, but the score does not use them: the model knows them only "
    "by SisPorto's unpublished definitions. Judge them yourself."
)
# Typed head circumferences carry the reproducibility of experts: 95 % limits of +/- 3.0 % within one
# observer (Sarris I et al. Ultrasound Obstet Gynecol 2012), so 2.5 % at 90 %.
TYPED_ERROR_QUANTILE = 0.025


@dataclass(frozen=True)
class Reason:
    """One signed contribution, in log-odds, in a clinician's words."""

    text: str
    log_odds: float


@dataclass(frozen=True)
class Part:
    """One modality's result.

    Attributes
    ----------
    probability : float or None
        None when it cannot be assessed.
    interval : tuple of float or None
        90 %.
    event : str
        What the probability is of.
    refusal : str or None
        Why there is no probability.
    detail : dict
        Measurements, for display and JSON.
    """

    probability: float | None
    interval: tuple[float, float] | None
    event: str
    refusal: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RiskAssessment:
    """The whole answer.

    Attributes
    ----------
    state : {"low", "raised", "high", "cannot assess"}
    score : float or None
        100 times the fused probability.
    interval : tuple of float or None
        90 %, on the score's scale.
    meaning : str
        One sentence.
    distress, growth : Part
    reasons : list of Reason
        What drove it, largest first; distress and growth log-odds add up to the fused log-odds.
    missing, warnings : list of str
    bundle : str
        Identifier of the bundle.
    """

    state: str
    score: float | None
    interval: tuple[float, float] | None
    meaning: str
    distress: Part
    growth: Part
    reasons: list[Reason]
    missing: list[str]
    warnings: list[str]
    bundle: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class CtgInput:
    """A table row of named features, or an analysed trace with its stage."""

    features: dict[str, float] | None = None
    analysis: CtgAnalysis | None = None
    stage: str = "unknown"


@dataclass(frozen=True)
class ScanInput:
    """A scan: an image, a typed head circumference, or both (the typed one overrides, both are kept).

    Attributes
    ----------
    image : UltrasoundImage or None
    head : HeadEllipse or None
        What the segmenter found in the image.
    typed_head_circumference_mm : float or None
    age_days : int or None
        Gestational age at the scan; None when unknown.
    age_source : str
    age_sd_days : float
    """

    image: UltrasoundImage | None = None
    head: HeadEllipse | None = None
    typed_head_circumference_mm: float | None = None
    age_days: int | None = None
    age_source: str = "not given"
    age_sd_days: float = AGE_SD_DAYS


DISTRESS_EVENT = "experts would call the trace pathological"
GROWTH_EVENT = "the true head circumference lies below the 3rd centile for the stated age"


def assess(bundle: Bundle, ctg: CtgInput | None, scan: ScanInput | None) -> RiskAssessment:
    """Assess what is there; say what is not.

    Raises
    ------
    InputError, RangeError
        A given value is unknown or impossible (a state with a reason is no error).
    """
    missing: list[str] = []
    warnings: list[str] = []
    reasons: list[Reason] = []
    distress_part, distress = _distress(bundle, ctg, warnings, reasons)
    growth_part, growth = _growth(bundle, scan, warnings)
    if distress is None:
        missing.append(f"CTG: {distress_part.refusal}")
    if growth is None:
        missing.append(f"Ultrasound: {growth_part.refusal}")
    if distress is None and growth is None:
        meaning = "Neither the CTG nor the ultrasound scan can be assessed."
        return RiskAssessment(
            CANNOT_ASSESS, None, None, meaning, distress_part, growth_part, [], missing, warnings, bundle.identifier
        )
    fusion = bundle.fusion
    acute = distress or Distress(fusion.prior, fusion.distress_logit_sd)
    term = growth_term(growth.true_z_mean, growth.true_z_sd) if growth else None
    fused = pool(acute, term)
    if growth is not None:
        reasons.append(Reason(_size_words(growth), fused.growth_log_odds))
    reasons.sort(key=lambda reason: -abs(reason.log_odds))
    view: View = distress_part.detail.get("view", "table")
    raised, high = fusion.cuts[view] if distress else growth_only_cuts(fusion.prior)
    state = HIGH if fused.probability >= high else RAISED if fused.probability >= raised else LOW
    basis = "this trace" if distress else "traces in general, as no CTG could be assessed,"
    meaning = f"About {100 * fused.probability:.0f} of 100: the probability that {DISTRESS_EVENT}, given {basis}" + (
        " shifted by the published odds for this head size." if growth else " with the size unknown."
    )
    interval = (100 * fused.interval[0], 100 * fused.interval[1])
    return RiskAssessment(
        state,
        100 * fused.probability,
        interval,
        meaning,
        distress_part,
        growth_part,
        reasons,
        missing,
        warnings,
        bundle.identifier,
    )


def _size_words(growth: GrowthAssessment) -> str:
    return f"head circumference on centile {growth.centile:.0f} for {growth.age_days // 7}+{growth.age_days % 7} weeks"


def _distress(
    bundle: Bundle, ctg: CtgInput | None, warnings: list[str], reasons: list[Reason]
) -> tuple[Part, Distress | None]:
    def refused(reason: str, detail: dict[str, Any] | None = None) -> tuple[Part, None]:
        return Part(None, None, DISTRESS_EVENT, reason, detail or {}), None

    if ctg is None or (ctg.features is None and ctg.analysis is None):
        return refused("none was given")
    widening, detail = 1.0, {}
    if ctg.analysis is not None:
        detail = trace_detail(ctg.analysis)
        if ctg.analysis.quality.refusal:
            return refused(ctg.analysis.quality.refusal, detail)
        if not ctg.analysis.windows:
            return refused("no stretch of 10 minutes has at least half of its signal", detail)
        view: View = "trace"
        window = ctg.analysis.windows[-1]
        values = vector(window.features)
        detail["window_s"] = [window.start_s, window.end_s]
        warnings += [TRANSFER_WARNING, UNUSED_WARNING]
        widening = TRACE_WIDENING
        if ctg.stage == "labour":
            warnings.append("This is a labour trace; the tables behind the model are not from labour.")
            widening = UNLIKE_TRAINING_WIDENING
    else:
        values = vector(ctg.features or {})
        missing = [FEATURES[i].label for i in np.flatnonzero(np.isnan(values))]
        view = "table"
        if missing:
            needed = np.flatnonzero(np.isnan(values) & FROM_TRACE)
            lacking = [FEATURES[i].label for i in needed if FEATURE_NAMES[i] != "contractions_per_s"]
            if lacking:
                return refused(f"the table lacks {', '.join(lacking)}")
            view = "trace"
            warnings.append(f"Not in the table, and left out: {', '.join(missing)}.")
            values = np.where(FROM_TRACE, values, np.nan)
            widening = TRACE_WIDENING
    low, high = bundle.training_range
    with np.errstate(invalid="ignore"):
        unlike = np.flatnonzero((values < low) | (values > high))
    if len(unlike):
        names = ", ".join(FEATURES[i].label for i in unlike)
        warnings.append(f"Outside what the model was trained on: {names}.")
        widening = UNLIKE_TRAINING_WIDENING
    model = bundle.pattern[view]
    margin = margins(model.booster, values[None, :])
    probability = model.calibration.probabilities(margin)[0]
    distress = Distress(
        float(np.clip(probability[2], 1e-4, 1 - 1e-4)), float(model.calibration.logit_sd(margin)[0]) * widening
    )
    contributions, _ = model.contributions(values[None, :])
    groups: dict[str, float] = {}
    for feature, value in zip(FEATURES, contributions[0], strict=True):
        groups[feature.group] = groups.get(feature.group, 0.0) + float(value)
    reasons.extend(Reason(group, value) for group, value in groups.items() if abs(value) >= 0.05)
    detail |= {
        "view": view,
        "states": dict(zip(("normal", "suspect", "pathological"), (float(p) for p in probability), strict=True)),
        "chosen": ("normal", "suspect", "pathological")[int(model.decision.states(probability[None, :])[0])],
        "features": {n: float(v) for n, v in zip(FEATURE_NAMES, values, strict=True) if np.isfinite(v)},
        "contributions": {n: float(v) for n, v in zip(FEATURE_NAMES, contributions[0], strict=True)},
    }
    return Part(distress.probability, distress.interval, DISTRESS_EVENT, None, detail), distress


def trace_detail(analysis: CtgAnalysis) -> dict[str, Any]:
    """Measurements of a trace for display and JSON."""
    return {
        "signal_loss": analysis.quality.loss,
        "signal_loss_by_ten_minutes": list(analysis.quality.loss_by_ten_minutes),
        "baseline_bpm": analysis.baseline_bpm,
        "variability_bpm": analysis.variability_bpm,
        "accelerations": [asdict(event) for event in analysis.accelerations],
        "decelerations": [asdict(event) for event in analysis.decelerations],
        "prolonged_decelerations": analysis.prolonged_decelerations,
        "contractions": [asdict(event) for event in analysis.contractions] if analysis.has_toco else None,
    }


def _growth(bundle: Bundle, scan: ScanInput | None, warnings: list[str]) -> tuple[Part, GrowthAssessment | None]:
    detail: dict[str, Any] = {}

    def refused(reason: str) -> tuple[Part, None]:
        return Part(None, None, GROWTH_EVENT, reason, detail), None

    if scan is None or (scan.image is None and scan.typed_head_circumference_mm is None):
        return refused("none was given")
    measurement = _measurement(bundle, scan, detail)
    circumference, quantile = scan.typed_head_circumference_mm, TYPED_ERROR_QUANTILE
    if circumference is not None:
        if not 30 <= circumference <= 450:
            raise RangeError(f"head circumference {circumference:g} mm is outside 30 to 450 mm")
        detail["source"] = "typed"
    elif measurement is None:
        return refused(detail["refusal"])
    else:
        circumference, quantile = measurement.head_circumference_mm, bundle.error_quantile
        detail["source"] = "model"
    detail["head_circumference_mm"] = circumference
    if scan.age_days is None:
        return refused("no gestational age was given for the scan")
    if not 0 < scan.age_days <= 44 * 7:
        raise InputError(f"gestational age {scan.age_days / 7:.1f} weeks is outside 0 to 44 weeks")
    try:
        growth = assess_growth(
            circumference, error_sd_mm(circumference, quantile), scan.age_days, scan.age_source, scan.age_sd_days
        )
    except RangeError as error:
        return refused(str(error))
    warnings.append("Only the head is known: abdominal circumference, weight and Dopplers define growth restriction.")
    detail["growth"] = asdict(growth)
    return Part(growth.probability_small, growth.interval_small, GROWTH_EVENT, None, detail), growth


def _measurement(bundle: Bundle, scan: ScanInput, detail: dict[str, Any]) -> HeadMeasurement | None:
    """Measure the image if it can be; otherwise leave the reason in `detail`."""
    if scan.image is None:
        return None
    detail |= {"width": scan.image.width, "height": scan.image.height, "pixel_size_mm": scan.image.pixel_size_mm}
    head = scan.head
    if head is None:
        detail["refusal"] = "this bundle has no ultrasound model"
        return None
    if head.ellipse is not None:
        detail["ellipse"] = head.ellipse.as_dict()
    if head.refusal or head.ellipse is None:
        detail["refusal"] = head.refusal or "no fetal head was found in the image"
        return None
    if scan.image.pixel_size_mm is None:
        detail["refusal"] = "the scale of the image is not known; give the pixel size in mm"
        return None
    measurement = measure(head.ellipse, scan.image.pixel_size_mm, bundle.error_quantile)
    detail["measurement"] = asdict(measurement)
    return measurement
