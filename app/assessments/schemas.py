"""What a caller sends for an assessment, and what comes back."""

from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from app.patients.schemas import PatientRequest

Stage = Literal["labour", "antepartum", "unknown"]


class TraceRequest(BaseModel):
    """A raw trace; null is a lost sample, and all channels are of one length."""

    model_config = ConfigDict(extra="forbid")

    sampling_rate_hz: float = Field(gt=0)
    fhr_bpm: list[float | None] = Field(max_length=400_000)
    fhr2_bpm: list[float | None] | None = Field(None, max_length=400_000, description="Second fetus.")
    toco: list[float | None] | None = Field(None, max_length=400_000)
    mhr_bpm: list[float | None] | None = Field(None, max_length=400_000, description="Maternal heart rate.")


class StatedRequest(BaseModel):
    """What a guideline asks and a trace does not tell; null is unknown."""

    model_config = ConfigDict(extra="forbid")

    less_rest: bool | None = Field(None, description="The uterus rests less between contractions (NICE).")
    hypertonus: bool | None = None
    absent_variability: bool | None = Field(None, description="No variability can be seen at all (NICHD).")
    fetal_movements: int | None = Field(None, ge=0, description="Felt during the recording (Dawes-Redman).")
    high_variation: bool | None = Field(
        None, description="An episode of high variation for the gestation (Dawes-Redman)."
    )


class CtgRequest(BaseModel):
    """A CTG: named features or a trace here, or a file beside the request."""

    model_config = ConfigDict(extra="forbid")

    features: dict[str, float] | None = Field(None, description="SisPorto features by canonical name.")
    sampling_rate_hz: float | None = Field(None, gt=0, description="For a CSV that does not state it.")
    trace: TraceRequest | None = None
    channel: Literal[1, 2] | None = Field(None, description="Where a file holds two fetal heart rates.")
    stage: Stage = "unknown"
    stated: StatedRequest | None = None
    performed_at: AwareDatetime | None = None
    gestational_age: str | None = Field(None, description="weeks+days; only where there is no due date.")


class ScanRequest(BaseModel):
    """A scan: an image beside the request, a typed head circumference, or both."""

    model_config = ConfigDict(extra="forbid")

    pixel_size_mm: float | None = None
    head_circumference_mm: float | None = Field(None, description="Typed; overrides the model's, both are kept.")
    performed_at: AwareDatetime | None = None
    gestational_age: str | None = Field(None, description="weeks+days; only where there is no due date.")


class AssessmentRequest(BaseModel):
    """One assessment of one fetus."""

    model_config = ConfigDict(extra="forbid")

    patient: PatientRequest
    fetus: str = Field("A", pattern=r"^[A-F]$")
    ctg: CtgRequest | None = None
    scan: ScanRequest | None = None


class AssessmentAnswer(BaseModel):
    """A stored assessment."""

    id: int
    url: str
    patient: str
    fetus: str
    synthetic_patient: bool
    created_at: datetime
    created_by: str
    signed_by: str | None
    code_version: str
    input_hashes: dict[str, str]
    result: dict[str, Any]
    notice: str = "Research prototype. Not a medical device. Not for patient care."
