"""Distress: from a CTG to a calibrated probability of distress, with the event that it is the probability of.

The acidaemia model assesses raw traces of labour (or of an unknown stage) of at least 20 min: *distress* is then the
probability of an umbilical-artery pH at or below 7.15. The pattern model assesses tables, antepartum traces and shorter
traces, and all traces if the bundle has no acidaemia model: *distress* is then the probability that experts would call
the trace pathological. These are different events; neither is converted into the other (ADR 6).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle import Acidaemia, Bundle
from models.ctg.acidaemia import LEADS_MIN, MILD, SEVERE
from models.ctg.analysis import CtgAnalysis, analyse
from models.ctg.features import DESIGN, FEATURE_NAMES, FEATURES, FROM_TRACE, Feature, vector
from models.ctg.guidelines import classify
from models.ctg.nice_versions import AMENDED
from models.ctg.pattern import STATES, View
from models.ctg.reading import Reading, read
from models.ctg.recording import LOWEST_MEASURED_BPM
from models.ctg.summary import trace_detail
from models.ctg.trace_features import TRACE_FEATURES, trace_features
from models.fusion.inputs import CtgInput
from models.fusion.panel_reading import panel_reading
from models.fusion.panel_reading import warnings as panel_warnings
from models.fusion.part import Part, Reason
from models.fusion.prior import TRAINING, Prior
from models.fusion.terms import CLIP, Distress, shifted
from models.fusion.trace_state import TraceState, trace_state
from models.fusion.unlikeness import MAX_UNLIKENESS, strangest, unlikeness

Array = NDArray[np.float64]
PATTERN_EVENT = "experts would call the trace pathological"
MIN_OUTCOME_S = 1200.0
# Factors that widen the interval, in log-odds, where the model's transfer to such an input is not validated.
TRACE_WIDENING = 1.5
UNLIKE_TRAINING_WIDENING = 2.5
TRANSFER_WARNING = (
    "The pattern model was trained on SisPorto tables of antepartum recordings. Its transfer to raw traces is "
    "not validated."
)
UNUSED_WARNING = (
    "Decelerations and variability are measured and shown, but the score does not use them: the model was trained on "
    "SisPorto's unpublished definitions of them. Judge them yourself."
)
LAST_S, MAX_NOT_MEASURED_S = 600, 60
AGAINST_PHYSIOLOGY = (
    "Against physiology: most training labours with such findings ended well, so the model subtracts. It does not "
    "reassure."
)
SELECTED_WARNING = (
    "Calibrated to CTU-UHB (term labours of one hospital, selected for signal quality), where {share:.0f} % had such "
    "a pH. On a ward with a lower prevalence the true probability is lower."
)


@dataclass(frozen=True)
class DistressPart:
    """The result of the CTG, with what fusion needs.

    Attributes
    ----------
    part : Part
    distress : Distress or None
        None when it cannot be assessed.
    severe : float or None
        Probability of the more severe event, where the acidaemia model predicts the outcome.
    prior : float
        Prevalence of the event at the place where the answer is used.
    shift : float
        What this prevalence adds to the log-odds of the calibration set.
    thresholds : (float, float)
        Probabilities from which the state is raised, and high.
    reasons : list of Reason
    warnings : list of str
        What makes the CTG or its result untrustworthy.
    remarks : list of str
        How to read the score.
    trace : TraceState or None
        What the trace itself asks of the state; None without a trace.
    """

    part: Part
    distress: Distress | None = None
    severe: float | None = None
    prior: float = 0.5
    shift: float = 0.0
    thresholds: tuple[float, float] = (1.0, 1.0)
    reasons: list[Reason] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    trace: TraceState | None = None


def default_event(bundle: Bundle) -> str:
    """The event that distress is the probability of, unless the CTG decides otherwise."""
    return MILD.event if bundle.acidaemia is not None else PATTERN_EVENT


def distress_part(
    bundle: Bundle,
    ctg: CtgInput | None,
    prior: Prior = TRAINING,
    nice: str = AMENDED,
    *,
    lead_time: bool = True,
) -> DistressPart:
    """Read and assess the CTG. The prior applies where the outcome is predicted, not to the judgement of experts.

    Parameters
    ----------
    nice : {"amended", "2022"}
        Which version of the NICE table.
    lead_time : bool
        Also judge the trace with its last minutes hidden.

    Raises
    ------
    InputError, RangeError
        A given feature is unknown or impossible.
    """
    event = default_event(bundle)
    if ctg is None or (ctg.features is None and ctg.analysis is None):
        return DistressPart(Part(None, None, event, "none was given"))
    if ctg.analysis is None:
        return _from_table(bundle, ctg.features or {})
    analysis = ctg.analysis
    reading = read(analysis, ctg.stage, ctg.age_days)
    guidelines = classify(reading, ctg.stage, ctg.stated, nice)
    detail = trace_detail(analysis, reading, ctg.stage, guidelines)
    trace = trace_state(reading, guidelines, ctg.stage, ctg.age_days)
    warnings = list(analysis.quality.warnings)
    refusal = analysis.quality.refusal or _not_measured(reading)
    if refusal:
        part = Part(None, None, event, refusal, detail)
        return DistressPart(part, warnings=warnings, trace=trace)
    model = bundle.acidaemia
    if model is not None and ctg.stage != "antepartum" and analysis.duration_s >= MIN_OUTCOME_S:
        distress = _outcome(model, analysis, ctg.stage, prior, lead_time)
    else:
        distress = _from_trace(bundle, analysis, ctg.stage)
    panel = panel_reading(bundle, analysis) if ctg.stage != "antepartum" else None
    if panel is not None:
        detail["panel"] = panel
    warnings += panel_warnings(panel)
    part = replace(distress.part, detail=detail | distress.part.detail)
    reasons = [_remarked(reason, reading) for reason in distress.reasons]
    return replace(distress, part=part, reasons=reasons, warnings=warnings + distress.warnings, trace=trace)


def _not_measured(reading: Reading) -> str | None:
    """Why the models cannot judge the end of the trace, although it can be read."""
    with np.errstate(invalid="ignore"):
        low_s = int((reading.grid_bpm[-LAST_S:] < LOWEST_MEASURED_BPM).sum())
    if low_s < MAX_NOT_MEASURED_S:
        return None
    return f"the rate is below 50 bpm for {low_s / 60:.0f} of the last 10 min, which the model does not measure"


def _remarked(reason: Reason, reading: Reading) -> Reason:
    """Add a remark where the model takes a bad finding as a good sign."""
    found = {"decelerations": reading.decelerations, "low heart rate": reading.bradycardias}
    if reason.log_odds < 0 and found.get(reason.text):
        return replace(reason, remark=AGAINST_PHYSIOLOGY)
    return reason


def _outcome(model: Acidaemia, analysis: CtgAnalysis, stage: str, prior: Prior, lead_time: bool) -> DistressPart:
    """The acidaemia model on the trace, and on the trace with its last minutes hidden."""
    values, warnings = trace_features(analysis), []
    widening = 1.0
    shift = prior.shift(model.prevalence)
    remarks = [] if prior.value is not None else [SELECTED_WARNING.format(share=100 * model.prevalence)]
    if stage != "labour":
        warnings.append("The stage is not known: the score assumes labour.")
        widening = TRACE_WIDENING
    mild, severe = model.models[MILD.name], model.models[SEVERE.name]
    outside = _outside(values, model.training_range)
    far = unlikeness(values, model.training_range)
    if far > MAX_UNLIKENESS:
        what = ", ".join(strangest(values, model.training_range))
        limit = f"distance {far:.2f}, limit {MAX_UNLIKENESS:g}"
        refusal = f"the trace is unlike those that the model was trained on ({what}; {limit})"
        return DistressPart(Part(None, None, MILD.event, refusal), warnings=warnings)
    if len(outside):
        warnings.append(_outside_warning(outside))
        remarks.append(_outside_remark(outside, TRACE_FEATURES))
        widening = UNLIKE_TRAINING_WIDENING
    rows = values[None, :]
    calibrated = shifted(float(mild.probabilities(rows)[0]), shift)
    distress = _distress(calibrated, float(mild.calibration.logit_sd(mild.margins(rows))[0]) * widening)
    # A pH below 7.05 is also a pH at or below 7.15.
    graver = min(shifted(float(severe.probabilities(rows)[0]), shift), distress.probability)
    raised, high = (shifted(threshold, shift) for threshold in model.thresholds[MILD.name])
    contributions, _ = mild.contributions(rows)
    detail = {
        "model": "acidaemia",
        "probabilities": {MILD.name: distress.probability, SEVERE.name: graver},
        "events": {MILD.name: MILD.event, SEVERE.name: SEVERE.event},
        **_feature_detail(TRACE_FEATURES, values, contributions[0]),
        "cuts": [raised, high],  # stored key: the thresholds
        "lead_time": _lead_time(model, analysis, distress.probability, shift) if lead_time else [],
    }
    part = Part(distress.probability, distress.interval, MILD.event, None, detail)
    return DistressPart(
        part,
        distress,
        severe=graver,
        prior=prior.of(model.prevalence),
        shift=shift,
        thresholds=(raised, high),
        reasons=_grouped(TRACE_FEATURES, contributions[0]),
        warnings=warnings,
        remarks=remarks,
    )


def _lead_time(model: Acidaemia, analysis: CtgAnalysis, now: float, shift: float) -> list[dict[str, Any]]:
    """The same probability with the last minutes hidden: what could have been known earlier."""
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


def _from_trace(bundle: Bundle, analysis: CtgAnalysis, stage: str) -> DistressPart:
    """The pattern model on the last window of the trace."""
    if not analysis.windows:
        return DistressPart(Part(None, None, PATTERN_EVENT, "no stretch of 10 minutes has at least half of its signal"))
    window = analysis.windows[-1]
    remarks = [TRANSFER_WARNING, UNUSED_WARNING]
    widening = TRACE_WIDENING
    if stage == "labour":
        remarks.append("This is a labour trace. The tables that the model was trained on are not from labour.")
        widening = UNLIKE_TRAINING_WIDENING
    distress = _pattern(bundle, "trace", vector(window.features), widening, [])
    detail = {"window_s": [window.start_s, window.end_s], **distress.part.detail}
    return replace(distress, part=replace(distress.part, detail=detail), remarks=remarks + distress.remarks)


def _from_table(bundle: Bundle, features: dict[str, float]) -> DistressPart:
    """The pattern model on a table, without the features that a trace does not fill if the table has gaps."""
    values, warnings = vector(features), []
    view: View = "table"
    widening = 1.0
    missing = [FEATURES[i].label for i in np.flatnonzero(np.isnan(values))]
    if missing:
        needed = np.flatnonzero(np.isnan(values) & FROM_TRACE)
        lacking = [FEATURES[i].label for i in needed if FEATURE_NAMES[i] != "contractions_per_s"]
        if lacking:
            return DistressPart(Part(None, None, PATTERN_EVENT, f"the table lacks {', '.join(lacking)}"))
        view, widening = "trace", TRACE_WIDENING
        warnings.append(f"Not in the table, so not used: {', '.join(missing)}.")
        values = np.where(FROM_TRACE, values, np.nan)
    return _pattern(bundle, view, values, widening, warnings)


def _pattern(bundle: Bundle, view: View, values: Array, widening: float, warnings: list[str]) -> DistressPart:
    outside, remarks = _outside(values, bundle.training_range), []
    if len(outside):
        warnings = [*warnings, _outside_warning(outside)]
        remarks = [_outside_remark(outside, FEATURES)]
        widening = UNLIKE_TRAINING_WIDENING
    model = bundle.pattern[view]
    margin = model.margins(values[None, :])
    probability = model.calibration.probabilities(margin)[0]
    distress = _distress(float(probability[2]), float(model.calibration.logit_sd(margin)[0]) * widening)
    contributions, _ = model.contributions(values[None, :])
    columns = DESIGN[: contributions.shape[1]]
    detail = {
        "model": "pattern",
        "view": view,
        "states": dict(zip(STATES, (float(p) for p in probability), strict=True)),
        "chosen": STATES[int(model.decision.states(probability[None, :])[0])],
        **_feature_detail(columns, values, contributions[0]),
    }
    part = Part(distress.probability, distress.interval, PATTERN_EVENT, None, detail)
    return DistressPart(
        part,
        distress,
        prior=bundle.fusion.prevalence,
        thresholds=bundle.fusion.thresholds[view],
        reasons=_grouped(columns, contributions[0]),
        warnings=warnings,
        remarks=remarks,
    )


def _distress(probability: float, logit_sd: float) -> Distress:
    return Distress(float(np.clip(probability, CLIP, 1 - CLIP)), logit_sd)


def _outside_warning(outside: NDArray[np.int64]) -> str:
    return f"Score uncertain: {len(outside)} measurements outside training data."


def _outside_remark(outside: NDArray[np.int64], features: Sequence[Feature]) -> str:
    return f"Outside what the model was trained on: {', '.join(features[int(i)].label for i in outside)}."


def _outside(values: Array, bounds: tuple[Array, Array]) -> NDArray[np.int64]:
    """Indices of the features outside the training range. A missing feature does not count."""
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
