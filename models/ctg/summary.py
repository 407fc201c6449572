"""A trace as plain sentences for a terminal, and as a dictionary for pages and JSON."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.ctg.analysis import BASELINE_STEP_S, CtgAnalysis
from models.ctg.guidelines import GuidelineClass
from models.ctg.guidelines.measures import variability_of
from models.ctg.reading import Reading
from models.ctg.reading.spans import Span

NOW_S, VARIABILITY_NOW_S = 600.0, 1800.0
RATE_NOW_S = 60.0


def lines(analysis: CtgAnalysis, detail: dict[str, Any]) -> list[str]:
    """What a reader of the trace would note down, one fact on each line.

    Parameters
    ----------
    detail : dict
        From `trace_detail`.
    """
    recording, quality = analysis.given, analysis.quality
    facts = [
        f"{recording.source}, channel {recording.channel}, {recording.duration_s / 60:.1f} min at "
        f"{recording.sampling_rate_hz:g} Hz, signal loss {quality.loss:.0%} "
        f"(by ten minutes: {', '.join(f'{loss:.0%}' for loss in quality.loss_by_ten_minutes)})",
    ]
    if quality.refusal:
        facts.append(f"no score: {quality.refusal}")
    if detail["baseline_bpm"] is not None:
        width = "not measurable" if detail["variability_bpm"] is None else f"{detail['variability_bpm']:.0f} bpm"
        start = f" (at the start {detail['baseline_at_start_bpm']:.0f})"
        downs = Counter(event["kind"] for event in detail["decelerations"])
        typed = f" ({', '.join(f'{number} {kind}' for kind, number in downs.items())})" if downs else ""
        facts += [
            f"baseline now {detail['baseline_bpm']:.0f} bpm{start}, variability {width}",
            f"{len(detail['accelerations'])} accelerations, {len(detail['decelerations'])} decelerations{typed}",
        ]
    facts.append(contractions_words(detail))
    if detail["short_term_variation_ms"] is not None:
        facts.append(f"short-term variation {detail['short_term_variation_ms']:.1f} ms, without decelerations")
    for name in ("tachysystole", "sinusoidal"):
        facts += [f"{name} from minute {start / 60:.0f} to {end / 60:.0f}" for start, end in detail[name]]
    facts += [f"check the signal: {words}" for words in detail["doubts"]]
    for answer in detail["guidelines"]:
        facts.append(f"{answer['rules']}: {answer['label']} ({'; '.join(answer['criteria'])})")
        facts += [f"  before: {line}" for line in answer["before"]]
        facts += [f"  not judged: {line}" for line in answer["not_judged"]]
    return [*facts, *quality.warnings, "Research prototype. Not a medical device."]


def contractions_words(detail: dict[str, Any]) -> str:
    """How many contractions, and for how much of the trace they are not known."""
    if detail["contractions"] is None:
        return "contractions not known: no usable tocogram"
    number = len(detail["contractions"])
    words = f"{number} contraction{'' if number == 1 else 's'}"
    unknown = 1 - detail["contractions_known"]
    return words if unknown < 0.2 else f"{words}, not known for {unknown:.0%} of the trace: check the tocogram"


def trace_detail(
    analysis: CtgAnalysis, reading: Reading, stage: str, guidelines: Sequence[GuidelineClass]
) -> dict[str, Any]:
    """Quality, baseline, events, variability and the guidelines' classes.

    `rate_now_bpm` is the median heart rate of the last minute up to the last readable second (`readable_until_s`),
    `baseline_bpm` the median baseline of the last ten minutes before it,
    `variability_bpm` that of the last thirty minutes.
    """
    end, readable = reading.duration_s, int(reading.last_readable_s)
    known = float(reading.contractions_known.mean()) if len(reading.contractions_known) else 0.0
    return {
        "signal_loss": analysis.quality.loss,
        "signal_loss_by_ten_minutes": list(analysis.quality.loss_by_ten_minutes),
        "artefacts": dict(analysis.quality.artefacts),
        "baseline_bpm": _median(reading.baseline_bpm[max(0, readable - int(NOW_S)) : readable]),
        "rate_now_bpm": _median(reading.grid_bpm[max(0, readable - int(RATE_NOW_S)) : readable]),
        "readable_until_s": readable,
        "baseline_at_start_bpm": _median(reading.baseline_bpm[: int(NOW_S)]),
        "variability_bpm": variability_of(reading, Span(max(0.0, end - VARIABILITY_NOW_S), end)),
        "beat_to_beat_bpm": analysis.beat_to_beat_bpm,
        # Its reference ranges do not hold in labour, so it is not shown there.
        "short_term_variation_ms": reading.short_term_variation_ms if stage == "antepartum" else None,
        "accelerations": [asdict(event) for event in reading.accelerations],
        "decelerations": [asdict(event.as_event()) for event in reading.decelerations],
        "prolonged_decelerations": sum(event.duration_s > 180.0 for event in reading.decelerations),
        "contractions": [asdict(event) for event in reading.contractions] if known > 0 else None,
        "contractions_known": known,
        "tachysystole": [list(stretch) for stretch in reading.tachysystole],
        "sinusoidal": [list(stretch) for stretch in reading.sinusoidal],
        "doubts": [doubt.words for doubt in reading.doubts],
        "baseline_by_15_s_bpm": _with_null(reading.drawn_baseline_bpm[::BASELINE_STEP_S]),
        "guidelines": [asdict(answer) for answer in guidelines],
    }


def _median(values: NDArray[np.float64]) -> float | None:
    return float(np.nanmedian(values)) if np.isfinite(values).any() else None


def _with_null(values: NDArray[np.float64]) -> list[float | None]:
    """Values to 0.1 bpm, as they are drawn; what is not finite becomes null in JSON."""
    return [round(float(value), 1) if np.isfinite(value) else None for value in values]
