"""An analysis in plain sentences, for a terminal."""

from collections import Counter
from typing import Any

from models.ctg.analysis import CtgAnalysis
from models.ctg.recording import CtgRecording


def lines(recording: CtgRecording, analysis: CtgAnalysis, detail: dict[str, Any]) -> list[str]:
    """What a reader of the trace would note down, a fact a line.

    Parameters
    ----------
    detail : dict
        From `models.fusion.detail.trace_detail`.
    """
    quality = analysis.quality
    made = [
        f"{recording.source}, channel {recording.channel}, {recording.duration_s / 60:.1f} min at "
        f"{recording.sampling_rate_hz:g} Hz, signal loss {quality.loss:.0%} "
        f"(by ten minutes: {', '.join(f'{loss:.0%}' for loss in quality.loss_by_ten_minutes)})",
    ]
    if quality.refusal:
        return [*made, f"cannot assess: {quality.refusal}"]
    width = "not measurable" if analysis.variability_bpm is None else f"{analysis.variability_bpm:.0f} bpm"
    downs = Counter(event.kind for event in analysis.decelerations)
    typed = f" ({', '.join(f'{number} {kind}' for kind, number in downs.items())})" if downs else ""
    made += [
        f"baseline {analysis.baseline_bpm:.0f} bpm, variability {width}",
        f"{len(analysis.accelerations)} accelerations, {len(analysis.decelerations)} decelerations{typed}",
        f"{len(analysis.contractions)} contractions" if analysis.has_toco else "no tocogram",
    ]
    if detail["short_term_variation_ms"] is not None:
        made.append(f"short-term variation {detail['short_term_variation_ms']:.1f} ms")
    for name in ("tachysystole", "sinusoidal"):
        made += [f"{name} from {start / 60:.0f} to {end / 60:.0f} min" for start, end in detail[name]]
    for answer in detail["guidelines"]:
        made.append(f"{answer['rules']}: {answer['label']} ({'; '.join(answer['criteria'])})")
        made += [f"  not judged: {line}" for line in answer["not_judged"]]
    return [*made, *quality.warnings, "Research prototype. Not a medical device."]
