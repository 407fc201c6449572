"""Signal quality: loss overall and by ten minutes, and the gate."""

from dataclasses import dataclass

import numpy as np

from models.ctg.recording import CtgRecording

MIN_DURATION_S = 600.0
MAX_LOSS = 0.5


@dataclass(frozen=True)
class SignalQuality:
    """How much of the heart rate is there.

    Attributes
    ----------
    loss : float
        Share of lost samples, 0 to 1.
    loss_by_ten_minutes : tuple of float
        The same for each (begun) block of ten minutes.
    refusal : str or None
        Why the trace cannot be assessed; None when it can.
    """

    loss: float
    loss_by_ten_minutes: tuple[float, ...]
    refusal: str | None


def assess_quality(ctg: CtgRecording) -> SignalQuality:
    """Measure the loss; refuse traces under ten minutes or with more than half of the signal lost."""
    lost = np.isnan(ctg.fhr_bpm)
    block = round(MIN_DURATION_S * ctg.sampling_rate_hz)
    blocks = tuple(float(lost[start : start + block].mean()) for start in range(0, len(lost), block))
    loss = float(lost.mean())
    refusal = None
    if loss == 1.0:
        refusal = "the trace holds no heart rate at all"
    elif ctg.duration_s < MIN_DURATION_S:
        refusal = f"the trace is {ctg.duration_s / 60:.1f} min long; at least 10 min are needed"
    elif loss > MAX_LOSS:
        refusal = f"signal loss is {loss:.0%}; at most {MAX_LOSS:.0%} can be assessed"
    return SignalQuality(loss, blocks, refusal)
