"""How the panel grader of the bundle reads the end of a labour trace, where the bundle has one.

The reading stands beside the guidelines' class. It never changes a state.
"""

from typing import Any

from models.bundle import Bundle
from models.ctg.analysis import CtgAnalysis, analyse
from models.ctg.grader import READINGS, WINDOW_S
from models.ctg.trace_features import trace_features
from models.fusion.unlikeness import MAX_UNLIKENESS, strangest, unlikeness

PANEL_WARNING = "The panel grader reads the last 30 minutes as pathological. Judge the trace yourself."


def panel_reading(bundle: Bundle, analysis: CtgAnalysis) -> dict[str, Any] | None:
    """The reading of the last half hour.

    Returns
    -------
    dict or None
        None without a grader. Otherwise ``window_s``, and either ``reading`` with ``probabilities``, or ``refusal``.
    """
    if bundle.grader is None:
        return None
    end = analysis.duration_s
    start = end - WINDOW_S
    if start < 0:
        return {"window_s": [0.0, end], "refusal": "the trace is shorter than 30 min"}
    window = analyse(analysis.recording.part(start, end))
    if window.quality.refusal:
        return {"window_s": [start, end], "refusal": window.quality.refusal}
    features = trace_features(window)
    if unlikeness(features, bundle.grader.training_range) > MAX_UNLIKENESS:
        what = ", ".join(strangest(features, bundle.grader.training_range))
        return {"window_s": [start, end], "refusal": f"the window is unlike those that the panel read ({what})"}
    return {"window_s": [start, end], **bundle.grader.read(features)}


def warnings(reading: dict[str, Any] | None) -> list[str]:
    """A pathological reading is a warning, whatever the state."""
    return [PANEL_WARNING] if reading is not None and reading.get("reading") == READINGS[-1] else []
