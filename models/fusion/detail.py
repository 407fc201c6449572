"""Measurements of a trace as plain data: for JSON, and for the page to draw over the trace."""

from dataclasses import asdict
from typing import Any

from models.ctg.analysis import CtgAnalysis
from models.ctg.guidelines import Statements, classify


def trace_detail(analysis: CtgAnalysis, stage: str, stated: Statements | None = None) -> dict[str, Any]:
    """Quality, baseline, events, variability and the guidelines' classes."""
    return {
        "signal_loss": analysis.quality.loss,
        "signal_loss_by_ten_minutes": list(analysis.quality.loss_by_ten_minutes),
        "artefacts": dict(analysis.quality.artefacts),
        "baseline_bpm": analysis.baseline_bpm,
        "variability_bpm": analysis.variability_bpm,
        "beat_to_beat_bpm": analysis.beat_to_beat_bpm,
        # Its bands do not hold in labour, so it is not shown there.
        "short_term_variation_ms": analysis.short_term_variation_ms if stage == "antepartum" else None,
        "accelerations": [asdict(event) for event in analysis.accelerations],
        "decelerations": [asdict(event) for event in analysis.decelerations],
        "prolonged_decelerations": analysis.prolonged_decelerations,
        "contractions": [asdict(event) for event in analysis.contractions] if analysis.has_toco else None,
        "tachysystole": [list(stretch) for stretch in analysis.tachysystole],
        "sinusoidal": [list(stretch) for stretch in analysis.sinusoidal],
        "guidelines": [asdict(answer) for answer in classify(analysis, stage, stated)],
    }
