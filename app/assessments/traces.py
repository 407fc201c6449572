"""CTGs: from what is stored to what the models judge, and back from a stored result to what pages draw.

A trace is analysed once. The check of a chosen file and the assessment that follows share the analysis (`analysis_of`).
Everything that pages and corrections need of it later is stored with the result (`for_reuse`), so it also survives a
restart.
"""

from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256
from typing import Any

import numpy as np

from app.assessments.schemas import CtgRequest
from app.assessments.store import Assessment
from app.patients.store import Examination, StoredFile
from app.recent import Recent
from models.bundle import Bundle
from models.ctg import formats
from models.ctg.analysis import CtgAnalysis, analyse
from models.ctg.events import Event
from models.ctg.formats import stored
from models.ctg.guidelines import Statements
from models.ctg.reading import read
from models.ctg.recording import CtgRecording
from models.ctg.strip import Marks
from models.fusion.circumstances import Circumstances
from models.fusion.distress import DistressPart
from models.fusion.inputs import CtgInput
from models.fusion.part import Part, Reason
from models.fusion.terms import Distress
from models.fusion.trace_state import TraceState
from models.version import code_version

Analysed = tuple[CtgRecording, CtgAnalysis]
BASELINE = "baseline_by_15_s_bpm"
# Key in the detail of distress: what fusion needs of the CTG beside what is shown.
REUSE = "for_fusion"


def _size(analysed: Analysed) -> int:
    recording, analysis = analysed
    arrays = (
        recording.fhr_bpm,
        recording.toco,
        recording.mhr_bpm,
        analysis.recording.fhr_bpm,
        analysis.given.fhr_bpm,
        analysis.baseline_trace_bpm,
        analysis.grid_bpm,
    )
    return sum(array.nbytes for array in arrays if array is not None)


# Only for an assessment that follows the check of the same files.
_recent: Recent[Analysed] = Recent(max_count=8, max_bytes=16 * 2**20, size_of=_size)


def forget() -> None:
    """Empty the memory of recent analyses, as a restart does."""
    _recent.clear()


def analysis_of(recording: CtgRecording) -> Analysed:
    """Analyse a recording, or return the analysis of the same samples from a moment ago."""
    return _recent.get(key_of(recording), lambda: analysed(recording))


def analysed(recording: CtgRecording) -> Analysed:
    """Analyse a recording."""
    return recording, analyse(recording)


def key_of(recording: CtgRecording) -> tuple[str, float, int]:
    """SHA-256 of all samples, sampling rate and channel: all that an analysis depends on."""
    digest = sha256()
    for values in (recording.fhr_bpm, recording.toco, recording.mhr_bpm):
        digest.update(b"-" if values is None else values.tobytes())
    return digest.hexdigest(), recording.sampling_rate_hz, recording.channel


def entered(
    request: CtgRequest, files: Mapping[str, bytes]
) -> tuple[StoredFile, dict[str, Any], tuple[CtgRecording, ...]]:
    """Read the files of a CTG: what is stored of them, what is stored beside it, and the recordings.

    Only the samples are stored, under a name of ours. The hashes of the originals and what was not used of them stay
    beside it.

    Raises
    ------
    FetalHealthError
        The files are no CTG, or hold two heart rates and no channel was chosen.
    """
    recordings = formats.read_all(files, request.sampling_rate_hz, formats.column_map(request.columns))
    chosen = formats.chosen(recordings, request.channel)
    content = stored.write(recordings)
    originals = {
        f"ctg-{number}.{formats.ending_of(name)}": sha256(original).hexdigest()
        for number, (name, original) in enumerate(files.items(), start=1)
    }
    file = StoredFile(name=f"ctg-1.{stored.ENDING}", sha256=sha256(content).hexdigest(), content=content)
    return file, {"originals": originals, "file_remarks": list(chosen.remarks)}, recordings


def files_of(examination: Examination) -> dict[str, bytes]:
    """Content of the stored files by name."""
    return {file.name: file.content for file in examination.files}


def recording_of(examination: Examination | None) -> CtgRecording | None:
    """The stored trace, or None where there is no CTG or it is a table."""
    if examination is None or not examination.files:
        return None
    parameters = examination.parameters
    (name, content), *others = files_of(examination).items()
    if not others and formats.ending_of(name) == stored.ENDING:
        return formats.chosen(stored.read(content).recordings(), parameters.get("channel"))
    # Stored by an earlier version, as it was sent.
    return formats.read(files_of(examination), parameters.get("sampling_rate_hz"), parameters.get("channel"))


def ctg_input_of(examination: Examination, *, afresh: bool = False) -> CtgInput:
    """Features as typed, or the analysed trace.

    Parameters
    ----------
    afresh : bool
        Analyse even where the same trace was analysed a moment ago.
    """
    parameters = examination.parameters
    if not examination.files:
        return CtgInput(features=parameters["features"], age_days=examination.gestational_age_days)
    trace = recording_of(examination)
    assert trace is not None
    recording, analysis = analysed(trace) if afresh else analysis_of(trace)
    stage = parameters.get("stage", "unknown")
    return CtgInput(
        analysis=analysis,
        stage=recording.stage if stage == "unknown" else stage,
        stated=Statements(**(parameters.get("stated") or {})),
        age_days=examination.gestational_age_days,
    )


def for_reuse(judged: DistressPart, stage: str) -> dict[str, Any]:
    """What a correction of the scan needs to fuse the same CTG again without analysing it."""
    values = {name: value for name, value in asdict(judged).items() if name != "part"}
    return {**values, "stage": stage}


def reusable(
    assessment: Assessment, bundle: Bundle, circumstances: Circumstances
) -> tuple[CtgInput, DistressPart] | None:
    """The CTG of an earlier assessment as it was judged, or None where it must be judged again.

    It is judged again where bundle, version of the code, prior or version of the NICE table differ, where it is a table
    (which costs nothing), and where an earlier version stored the result.
    """
    stored = assessment.result["distress"]
    values = stored["detail"].get(REUSE)
    prior = assessment.result.get("circumstances", {}).get("prior")
    nice = assessment.result.get("circumstances", {}).get("nice")
    same = (assessment.bundle, assessment.code_version, prior, nice) == (
        bundle.identifier,
        code_version(),
        asdict(circumstances.prior),
        circumstances.nice,
    )
    if assessment.ctg is None or values is None or not same:
        return None
    judged = DistressPart(
        part=Part(**{**stored, "interval": _pair(stored["interval"])}),
        distress=Distress(**values["distress"]) if values["distress"] else None,
        severe=values["severe"],
        prior=values["prior"],
        shift=values["shift"],
        thresholds=(values["thresholds"][0], values["thresholds"][1]),
        reasons=[Reason(**reason) for reason in values["reasons"]],
        warnings=list(values["warnings"]),
        remarks=list(values.get("remarks", [])),
        trace=TraceState.from_dict(values["trace"]) if values["trace"] else None,
    )
    features = stored["detail"].get("features", {})
    return CtgInput(features=features, stage=values["stage"], age_days=assessment.ctg.gestational_age_days), judged


def _pair(values: list[float] | None) -> tuple[float, float] | None:
    return None if values is None else (values[0], values[1])


def marks_of(assessment: Assessment) -> Marks | None:
    """Baseline and events to draw over the stored trace; None where the assessment has no trace.

    Raises
    ------
    InputError
        An earlier version stored the result without the baseline, and its trace can no longer be read.
    """
    examination = assessment.ctg
    if examination is None or not examination.files:
        return None
    detail = assessment.result["distress"]["detail"]
    if BASELINE not in detail:  # stored by an earlier version: analysed when it is asked for
        trace = recording_of(examination)
        assert trace is not None
        stage = examination.parameters.get("stage", "unknown")
        return Marks.of(read(analysis_of(trace)[1], stage, examination.gestational_age_days))
    baseline = np.array([np.nan if value is None else value for value in detail[BASELINE]], dtype=np.float64)
    accelerations, decelerations, contractions = (
        [Event(**event) for event in detail.get(kind) or []]
        for kind in ("accelerations", "decelerations", "contractions")
    )
    return Marks(baseline, accelerations, decelerations, contractions)
