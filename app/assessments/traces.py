"""Traces: from what is stored to what the models judge. One trace is analysed once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Any

from app.patients.store import Examination
from models.ctg import formats
from models.ctg.analysis import CtgAnalysis, analyse
from models.ctg.guidelines import Statements
from models.ctg.recording import CtgRecording
from models.ctg.summary import thinned
from models.fusion.inputs import CtgInput

# Longer recordings (3 days at 4 Hz) are analysed anew rather than held in memory.
MAX_REMEMBERED_SAMPLES = 2**20


@dataclass(frozen=True)
class _Trace:
    """A recording that is known by the digest of its content."""

    digest: str
    recording: CtgRecording = field(compare=False)


def recording_of(examination: Examination | None) -> CtgRecording | None:
    """Read the stored trace; None where there is no CTG or it is a table."""
    if examination is None or not examination.files:
        return None
    files = {file.name: file.content for file in examination.files}
    parameters = examination.parameters
    return formats.read(files, parameters.get("sampling_rate_hz"), parameters.get("channel"))


def ctg_input_of(examination: Examination, *, fresh: bool = False) -> CtgInput:
    """Return the features as typed, or the analysed trace.

    Parameters
    ----------
    fresh : bool
        Analyse the trace again, whatever is remembered.
    """
    recording = recording_of(examination)
    if recording is None:
        return CtgInput(features=examination.parameters["features"], age_days=examination.gestational_age_days)
    stage = examination.parameters.get("stage", "unknown")
    stated = Statements(**(examination.parameters.get("stated") or {}))
    known_stage = recording.stage if stage == "unknown" else stage
    analysis = analyse(recording) if fresh else analysis_of(recording)
    return CtgInput(None, analysis, known_stage, stated, examination.gestational_age_days)


def analysis_of(recording: CtgRecording) -> CtgAnalysis:
    """Analyse a recording, or return the analysis of one with the same content: of the check before an assessment."""
    if len(recording.fhr_bpm) > MAX_REMEMBERED_SAMPLES:
        return analyse(recording)
    return _remembered(_Trace(_digest(recording), recording))


@lru_cache(maxsize=8)
def _remembered(trace: _Trace) -> CtgAnalysis:
    return analyse(trace.recording)


def _digest(recording: CtgRecording) -> str:
    digest = sha256(f"{recording.sampling_rate_hz} {recording.source} {recording.stage} {recording.channel}".encode())
    for signal in (recording.fhr_bpm, recording.toco, recording.mhr_bpm):
        digest.update(b"none" if signal is None else signal.tobytes())
    return digest.hexdigest()


def baseline_of(detail: Mapping[str, Any], recording: CtgRecording) -> list[float | None]:
    """Return the baseline that is stored with a result, one value in 15 s; None is lost.

    Results of earlier versions do not hold it: the trace is analysed for them.
    """
    stored = detail.get("baseline_trace_bpm")
    if stored is None:
        return thinned(analysis_of(recording).baseline_trace_bpm)
    baseline: list[float | None] = stored
    return baseline
