"""An analysis as plain sentences for a terminal, and as a dictionary for pages and JSON."""

from collections import Counter
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.ctg.analysis import BASELINE_STEP_S, CtgAnalysis
from models.ctg.guidelines import Statements, classify
from models.ctg.recording import CtgRecording


def lines(recording: CtgRecording, analysis: CtgAnalysis, detail: dict[str, Any]) -> list[str]:
    """What a reader of the trace would note down, one fact on each line.

    Parameters
    ----------
    detail : dict
        From `trace_detail`.
    """
    quality = analysis.quality
    facts = [
        f"{recording.source}, channel {recording.channel}, {recording.duration_s / 60:.1f} min at "
        f"{recording.sampling_rate_hz:g} Hz, signal loss {quality.loss:.0%} "
        f"(by ten minutes: {', '.join(f'{loss:.0%}' for loss in quality.loss_by_ten_minutes)})",
    ]
    if quality.refusal:
        return [*facts, f"cannot assess: {quality.refusal}"]
    width = "not measurable" if analysis.variability_bpm is None else f"{analysis.variability_bpm:.0f} bpm"
    downs = Counter(event.kind for event in analysis.decelerations)
    typed = f" ({', '.join(f'{number} {kind}' for kind, number in downs.items())})" if downs else ""
    facts += [
        f"baseline {analysis.baseline_bpm:.0f} bpm, variability {width}",
        f"{len(analysis.accelerations)} accelerations, {len(analysis.decelerations)} decelerations{typed}",
        f"{len(analysis.contractions)} contractions" if analysis.has_toco else "no tocogram",
    ]
    if detail["short_term_variation_ms"] is not None:
        facts.append(f"short-term variation {detail['short_term_variation_ms']:.1f} ms")
    for name in ("tachysystole", "sinusoidal"):
        facts += [f"{name} from {start / 60:.0f} to {end / 60:.0f} min" for start, end in detail[name]]
    for answer in detail["guidelines"]:
        facts.append(f"{answer['rules']}: {answer['label']} ({'; '.join(answer['criteria'])})")
        facts += [f"  not judged: {line}" for line in answer["not_judged"]]
    return [*facts, *quality.warnings, "Research prototype. Not a medical device."]


def trace_detail(analysis: CtgAnalysis, stage: str, stated: Statements | None = None) -> dict[str, Any]:
    """Quality, baseline, events, variability and the guidelines' classes."""
    return {
        "signal_loss": analysis.quality.loss,
        "signal_loss_by_ten_minutes": list(analysis.quality.loss_by_ten_minutes),
        "artefacts": dict(analysis.quality.artefacts),
        "baseline_bpm": analysis.baseline_bpm,
        "variability_bpm": analysis.variability_bpm,
        "beat_to_beat_bpm": analysis.beat_to_beat_bpm,
        # Its reference ranges do not hold in labour, so it is not shown there.
        "short_term_variation_ms": analysis.short_term_variation_ms if stage == "antepartum" else None,
        "accelerations": [asdict(event) for event in analysis.accelerations],
        "decelerations": [asdict(event) for event in analysis.decelerations],
        "prolonged_decelerations": analysis.prolonged_decelerations,
        "contractions": [asdict(event) for event in analysis.contractions] if analysis.has_toco else None,
        "tachysystole": [list(stretch) for stretch in analysis.tachysystole],
        "sinusoidal": [list(stretch) for stretch in analysis.sinusoidal],
        "baseline_by_15_s_bpm": _with_null(analysis.baseline_trace_bpm[::BASELINE_STEP_S]),
        "guidelines": [asdict(answer) for answer in classify(analysis, stage, stated)],
    }


def _with_null(values: NDArray[np.float64]) -> list[float | None]:
    """Values to 0.1 bpm, as they are drawn; what is not finite becomes null in JSON."""
    return [round(float(value), 1) if np.isfinite(value) else None for value in values]
