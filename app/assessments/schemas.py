"""What a caller sends for an assessment, and what comes back."""

from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from app.patients.schemas import PatientRequest

Stage = Literal["labour", "antepartum", "unknown"]


class CtgRequest(BaseModel):
    """A CTG: named features here, or a file beside the request."""

    model_config = ConfigDict(extra="forbid")

    features: dict[str, float] | None = Field(None, description="SisPorto features by canonical name.")
    sampling_rate_hz: float | None = Field(None, gt=0, description="For a CSV that does not state it.")
    stage: Stage = "unknown"
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
