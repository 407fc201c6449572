"""The acute part: from a CTG to a calibrated probability of distress, and what it is a probability of.

A raw trace of labour (or of an unknown stage) of at least 20 min goes to the acidaemia model: *distress* is then the
probability of an umbilical pH at or below 7.15. A table, an antepartum trace, a shorter one, and every trace where
the bundle comes without that model go to the pattern model: *distress* is then the probability that experts would
call the trace pathological. The two are different events; neither is converted into the other (ADR 6).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from models.bundle import Acidaemia, Bundle
from models.ctg.acidaemia import LEADS_MIN, MILD, SEVERE
from models.ctg.analysis import CtgAnalysis, analyse
from models.ctg.features import DESIGN, FEATURE_NAMES, FEATURES, FROM_TRACE, Feature, vector
from models.ctg.pattern import STATES, View
from models.ctg.summary import trace_detail
from models.ctg.trace_features import TRACE_FEATURES, trace_features
from models.fusion.inputs import CtgInput
from models.fusion.part import Part, Reason
from models.fusion.pooling import Distress, log_odds
from models.fusion.prior import TRAINING, Prior

Array = NDArray[np.float64]
PATTERN_EVENT = "experts would call the trace pathological"
MIN_OUTCOME_S = 1200.0
# How much wider, in log-odds, an interval is where the model's transfer to such an input is not validated.
TRACE_WIDENING = 1.5
UNLIKE_TRAINING_WIDENING = 2.5
# The most measurements that lay outside the training range in any of the 436 traces behind the shipped model.
MAX_UNLIKE = 9
_CLIP = 1e-4
TRANSFER_WARNING = (
    "The pattern model was trained on SisPorto tables of antepartum recordings; its transfer to raw traces is "
    "not validated."
)
UNUSED_WARNING = (
    "Decelerations and variability are measured and shown, but the score does not use them: the model knows them only "
    "by SisPorto's unpublished definitions. Judge them yourself."
)
SELECTED_WARNING = (
    "Calibrated to CTU-UHB, term labours of one hospital chosen for signal quality, where {share:.0f} of 100 had such "
    "a pH; on a ward where fewer have, the true probability is lower."
)


@dataclass(frozen=True)
class AcutePart:
    """The acute part with what fusion needs.

    Attributes
    ----------
    part : Part
    distress : Distress or None
        None when it cannot be assessed.
    severe : float or None
        Probability of the graver event, where the outcome is what is predicted.
    prior : float
        Share with the event where the answer is read.
    shift : float
        What that adds to the log-odds of the calibration set.
    cuts : (float, float)
        Raised and high.
    reasons : list of Reason
    warnings : list of str
    """

    part: Part
    distress: Distress | None = None
    severe: float | None = None
    prior: float = 0.5
    shift: float = 0.0
    cuts: tuple[float, float] = (1.0, 1.0)
    reasons: list[Reason] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def shifted(probability: float, shift: float) -> float:
    """A probability under another prior."""
    if shift == 0.0:
        return probability
    return float(expit(log_odds(float(np.clip(probability, _CLIP, 1 - _CLIP))) + shift))


def without_ctg(bundle: Bundle, prior: Prior) -> tuple[float, float]:
    """Probability and spread of its log-odds where there is no CTG: the prior, and the calibration set's spread."""
    if bundle.acidaemia is not None:
        return prior.of(bundle.acidaemia.prior), bundle.acidaemia.logit_sd
    return bundle.fusion.prior, bundle.fusion.distress_logit_sd


def default_event(bundle: Bundle) -> str:
    """What distress is the probability of where nothing decides otherwise."""
    return MILD.event if bundle.acidaemia is not None else PATTERN_EVENT


def distress_part(bundle: Bundle, ctg: CtgInput | None, prior: Prior = TRAINING) -> AcutePart:
    """Assess the CTG; the prior applies where the outcome is predicted, not to what experts would say.

    Raises
    ------
    InputError, RangeError
        A given feature is unknown or impossible.
    """
    event = default_event(bundle)
    if ctg is None or (ctg.features is None and ctg.analysis is None):
        return AcutePart(Part(None, None, event, "none was given"))
    if ctg.analysis is None:
        return _from_table(bundle, ctg.features or {})
    analysis = ctg.analysis
    detail = trace_detail(analysis, ctg.stage, ctg.stated)
    warnings = list(analysis.quality.warnings)
    if analysis.quality.refusal:
        return AcutePart(Part(None, None, event, analysis.quality.refusal, detail), warnings=warnings)
    model = bundle.acidaemia
    if model is not None and ctg.stage != "antepartum" and analysis.duration_s >= MIN_OUTCOME_S:
        return _outcome(model, analysis, ctg.stage, detail, warnings, prior)
    return _from_trace(bundle, analysis, ctg.stage, detail, warnings)


def _outcome(
    model: Acidaemia, analysis: CtgAnalysis, stage: str, detail: dict[str, Any], warnings: list[str], prior: Prior
) -> AcutePart:
    """The acidaemia model on the trace, and on the trace with its last minutes hidden."""
    values = trace_features(analysis)
    widening = 1.0
    shift = prior.shift(model.prior)
    if prior.value is None:
        warnings.append(SELECTED_WARNING.format(share=100 * model.prior))
    if stage != "labour":
        warnings.append("The stage is not known; the acidaemia model was trained on labour traces that end at birth.")
        widening = TRACE_WIDENING
    mild, severe = model.models[MILD.name], model.models[SEVERE.name]
    unlike = len(_outside(values, model.training_range))
    if unlike > MAX_UNLIKE:
        refusal = (
            f"{unlike} of {len(values)} measurements lie outside what the model was trained on; at most {MAX_UNLIKE} "
            "did in any trace it learned from"
        )
        return AcutePart(Part(None, None, MILD.event, refusal, detail), warnings=warnings)
    widening = _unlike(values, model.training_range, TRACE_FEATURES, widening, warnings)
    rows = values[None, :]
    calibrated = shifted(float(mild.probabilities(rows)[0]), shift)
    distress = _distress(calibrated, float(mild.calibration.logit_sd(mild.margins(rows))[0]) * widening)
    # Being below 7.05 is part of being at or below 7.15.
    graver = min(shifted(float(severe.probabilities(rows)[0]), shift), distress.probability)
    raised, high = (shifted(cut, shift) for cut in model.cuts[MILD.name])
    contributions, _ = mild.contributions(rows)
    reasons = _grouped(TRACE_FEATURES, contributions[0])
    detail |= {
        "model": "acidaemia",
        "probabilities": {MILD.name: distress.probability, SEVERE.name: graver},
        "events": {MILD.name: MILD.event, SEVERE.name: SEVERE.event},
        **_feature_detail(TRACE_FEATURES, values, contributions[0]),
        "cuts": [raised, high],
        "lead_time": _lead_time(model, analysis, distress.probability, shift),
    }
    part = Part(distress.probability, distress.interval, MILD.event, None, detail)
    return AcutePart(part, distress, graver, prior.of(model.prior), shift, (raised, high), reasons, warnings)


def _lead_time(model: Acidaemia, analysis: CtgAnalysis, now: float, shift: float) -> list[dict[str, Any]]:
    """The same probability with the last minutes hidden: what could have been known then."""
    curve: list[dict[str, Any]] = [{"hidden_min": 0, "probability": now, "refusal": None}]
    for lead in LEADS_MIN[1:]:
        left_s = analysis.duration_s - 60.0 * lead
        point: dict[str, Any] = {"hidden_min": lead, "probability": None}
        if left_s < MIN_OUTCOME_S:
            curve.append(point | {"refusal": f"only {max(left_s, 0) / 60:.0f} min of trace are left"})
            continue
        earlier = analyse(analysis.recording.part(0.0, left_s))
        if earlier.quality.refusal:
            curve.append(point | {"refusal": earlier.quality.refusal})
            continue
        probability = float(model.models[MILD.name].probabilities(trace_features(earlier)[None, :])[0])
        curve.append(point | {"probability": shifted(probability, shift), "refusal": None})
    return curve


def _from_trace(
    bundle: Bundle, analysis: CtgAnalysis, stage: str, detail: dict[str, Any], warnings: list[str]
) -> AcutePart:
    if not analysis.windows:
        reason = "no stretch of 10 minutes has at least half of its signal"
        return AcutePart(Part(None, None, PATTERN_EVENT, reason, detail), warnings=warnings)
    window = analysis.windows[-1]
    detail["window_s"] = [window.start_s, window.end_s]
    warnings += [TRANSFER_WARNING, UNUSED_WARNING]
    widening = TRACE_WIDENING
    if stage == "labour":
        warnings.append("This is a labour trace; the tables behind the model are not from labour.")
        widening = UNLIKE_TRAINING_WIDENING
    return _pattern(bundle, "trace", vector(window.features), widening, detail, warnings)


def _from_table(bundle: Bundle, features: dict[str, float]) -> AcutePart:
    values, warnings = vector(features), []
    view: View = "table"
    widening = 1.0
    missing = [FEATURES[i].label for i in np.flatnonzero(np.isnan(values))]
    if missing:
        needed = np.flatnonzero(np.isnan(values) & FROM_TRACE)
        lacking = [FEATURES[i].label for i in needed if FEATURE_NAMES[i] != "contractions_per_s"]
        if lacking:
            return AcutePart(Part(None, None, PATTERN_EVENT, f"the table lacks {', '.join(lacking)}"))
        view, widening = "trace", TRACE_WIDENING
        warnings.append(f"Not in the table, and left out: {', '.join(missing)}.")
        values = np.where(FROM_TRACE, values, np.nan)
    return _pattern(bundle, view, values, widening, {}, warnings)


def _pattern(
    bundle: Bundle, view: View, values: Array, widening: float, detail: dict[str, Any], warnings: list[str]
) -> AcutePart:
    widening = _unlike(values, bundle.training_range, FEATURES, widening, warnings)
    model = bundle.pattern[view]
    margin = model.margins(values[None, :])
    probability = model.calibration.probabilities(margin)[0]
    distress = _distress(float(probability[2]), float(model.calibration.logit_sd(margin)[0]) * widening)
    contributions, _ = model.contributions(values[None, :])
    columns = DESIGN[: contributions.shape[1]]
    detail |= {
        "model": "pattern",
        "view": view,
        "states": dict(zip(STATES, (float(p) for p in probability), strict=True)),
        "chosen": STATES[int(model.decision.states(probability[None, :])[0])],
        **_feature_detail(columns, values, contributions[0]),
    }
    part = Part(distress.probability, distress.interval, PATTERN_EVENT, None, detail)
    return AcutePart(
        part,
        distress,
        prior=bundle.fusion.prior,
        cuts=bundle.fusion.cuts[view],
        reasons=_grouped(columns, contributions[0]),
        warnings=warnings,
    )


def _distress(probability: float, logit_sd: float) -> Distress:
    return Distress(float(np.clip(probability, _CLIP, 1 - _CLIP)), logit_sd)


def _unlike(
    values: Array, bounds: tuple[Array, Array], features: Sequence[Feature], widening: float, warnings: list[str]
) -> float:
    """Name what lies outside the training range; how wide the interval becomes."""
    unlike = _outside(values, bounds)
    if len(unlike) == 0:
        return widening
    warnings.append(f"Outside what the model was trained on: {', '.join(features[int(i)].label for i in unlike)}.")
    return max(widening, UNLIKE_TRAINING_WIDENING)


def _outside(values: Array, bounds: tuple[Array, Array]) -> NDArray[np.int64]:
    """Which features lie beyond the training range; a missing one does not."""
    with np.errstate(invalid="ignore"):
        return np.flatnonzero((values < bounds[0]) | (values > bounds[1]))


def _grouped(features: Sequence[Feature], contributions: Array) -> list[Reason]:
    groups: dict[str, float] = {}
    for feature, value in zip(features, contributions, strict=True):
        groups[feature.group] = groups.get(feature.group, 0.0) + float(value)
    return [Reason(group, value) for group, value in groups.items()]


def _feature_detail(features: Sequence[Feature], values: Array, contributions: Array) -> dict[str, Any]:
    names = [feature.name for feature in features]
    return {
        "features": {n: float(v) for n, v in zip(names, values, strict=False) if np.isfinite(v)},
        "contributions": {n: float(v) for n, v in zip(names, contributions, strict=True)},
    }
