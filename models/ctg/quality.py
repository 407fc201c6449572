"""Signal quality: loss overall and by ten minutes, artefacts, and the refusal of unusable traces."""

from dataclasses import dataclass, field

import numpy as np

from models.ctg.cleaning import Cleaned, clean
from models.ctg.recording import CtgRecording

MIN_DURATION_S = 600.0
MAX_LOSS = 0.5
MAX_ARTEFACT = 0.25
MIN_SPREAD_BPM = 1.0


@dataclass(frozen=True)
class SignalQuality:
    """How much of the heart rate is usable.

    Attributes
    ----------
    loss : float
        Share of samples lost or removed, 0 to 1.
    loss_by_ten_minutes : tuple of float
        The same for each block of ten minutes; the last may be shorter.
    refusal : str or None
        Why the trace cannot be assessed, or None.
    artefacts : dict of str to float
        Share of the recorded samples removed, by kind (`models.ctg.cleaning.KINDS`).
    warnings : tuple of str
        What limits the result without preventing an assessment.
    """

    loss: float
    loss_by_ten_minutes: tuple[float, ...]
    refusal: str | None
    artefacts: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def assess_quality(ctg: CtgRecording) -> tuple[SignalQuality, Cleaned]:
    """Clean the trace, measure the loss, and refuse the trace if too little is left.

    A trace is refused if it is shorter than ten minutes, if more than half of the signal was lost or removed, if more
    than a quarter of it is artefact of one kind, or if it does not vary.
    """
    cleaned = clean(ctg)
    lost = np.isnan(cleaned.fhr_bpm)
    block = max(1, round(MIN_DURATION_S * ctg.sampling_rate_hz))
    blocks = tuple(float(lost[start : start + block].mean()) for start in range(0, len(lost), block))
    loss = float(lost.mean())
    worst = max(cleaned.removed, key=lambda kind: cleaned.removed[kind])
    refusal = None
    if np.isnan(ctg.fhr_bpm).all():
        refusal = "the trace contains no heart rate"
    elif ctg.duration_s < MIN_DURATION_S:
        refusal = f"the trace is {ctg.duration_s / 60:.1f} min long; at least 10 min are needed"
    elif cleaned.removed[worst] > MAX_ARTEFACT:
        refusal = (
            f"{cleaned.removed[worst]:.0%} of the signal is artefact ({worst}); at most {MAX_ARTEFACT:.0%} is accepted"
        )
    elif loss > MAX_LOSS:
        refusal = f"signal loss is {loss:.0%}; at most {MAX_LOSS:.0%} is accepted"
    elif np.subtract(*np.percentile(cleaned.fhr_bpm[~lost], [99, 1])) < MIN_SPREAD_BPM:
        refusal = "the heart rate does not vary at all: this is not a recording of a heart"
    return SignalQuality(loss, blocks, refusal, cleaned.removed, _warnings(ctg, blocks, cleaned)), cleaned


def _warnings(ctg: CtgRecording, blocks: tuple[float, ...], cleaned: Cleaned) -> tuple[str, ...]:
    lines = []
    if ctg.mhr_bpm is None:
        lines.append("No maternal heart rate was recorded. Parts of the trace may show the mother's pulse.")
    for kind, share in cleaned.removed.items():
        if share > 0.02:
            lines.append(f"{share:.0%} of the signal was removed as artefact: {kind}.")
    if blocks and blocks[-1] > MAX_LOSS:
        lines.append(f"{blocks[-1]:.0%} of the signal in the last ten minutes is lost.")
    if ctg.sampling_rate_hz < 2:
        lines.append(
            f"At {ctg.sampling_rate_hz:g} Hz short-term variation and beat-to-beat variability are not measured."
        )
    return tuple(lines)
