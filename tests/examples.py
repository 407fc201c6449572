"""Examples of several test folders: a healthy table, a labour trace, a head, and what holds for every assessment."""

import io
import json

import numpy as np
from PIL import Image

from models.fusion.answer import RiskAssessment
from models.fusion.state import LOW, STATES
from models.synthetic.heads import phantom
from models.synthetic.traces import trace
from models.ultrasound.ellipse import Ellipse

HEALTHY = {
    "baseline_bpm": 133, "accelerations_per_s": 0.006, "fetal_movements_per_s": 0, "contractions_per_s": 0.004,
    "light_decelerations_per_s": 0, "severe_decelerations_per_s": 0, "prolonged_decelerations_per_s": 0,
    "abnormal_stv_percent": 30, "mean_stv_bpm": 1.8, "abnormal_ltv_percent": 0, "mean_ltv_bpm": 10,
    "histogram_width_bpm": 90, "histogram_min_bpm": 80, "histogram_max_bpm": 170, "histogram_peaks": 5,
    "histogram_zeros": 0, "histogram_mode_bpm": 140, "histogram_mean_bpm": 138, "histogram_median_bpm": 140,
    "histogram_variance_bpm2": 12, "histogram_tendency": 0,
}  # fmt: skip
LABOUR = trace(minutes=70, accelerations=0, late_decelerations=True, seed=1).recording
HEAD_OUTLINE = Ellipse(400, 270, 230, 180, 0.1)
HEAD = phantom(HEAD_OUTLINE, seed=3)
HEAD.setflags(write=False)


def png(pixels: np.ndarray) -> bytes:
    """A picture as a file; lightly compressed, which is the quickest."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


HEAD_PNG = png(HEAD)


def check(assessment: RiskAssessment) -> RiskAssessment:
    """What holds for every assessment."""
    json.dumps(assessment.as_dict())
    assert assessment.state in STATES
    assert assessment.state_reasons
    if assessment.score is None:
        assert assessment.state != LOW
        assert assessment.missing
    else:
        assert assessment.interval is not None
        assert assessment.interval[0] <= assessment.score <= assessment.interval[1]
    for part in (assessment.distress, assessment.growth):
        assert (part.probability is None) == (part.refusal is not None)
    return assessment
