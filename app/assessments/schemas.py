"""What a caller sends for an assessment, and what comes back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.patients.schemas import PatientRequest, ReasonRequest
from app.texts import Moment
from models.growth.amniotic_fluid import AmnioticFluid
from models.growth.dopplers import INDICES, Flow
from models.growth.measures import RANGES

Files = Mapping[str, bytes]
Stage = Literal["labour", "antepartum", "unknown"]
WeightStandard = Literal["intergrowth-2020", "intergrowth-2017", "who-2017", "hadlock-1991", "fmf-2018"]


class TraceRequest(BaseModel):
    """A raw trace; null is a lost sample, and all channels are of one length."""

    model_config = ConfigDict(extra="forbid")

    sampling_rate_hz: float = Field(gt=0)
    started_at: datetime | None = Field(None, description="Start of the recording, ISO 8601.")
    fhr_bpm: list[float | None] = Field(max_length=400_000)
    fhr2_bpm: list[float | None] | None = Field(None, max_length=400_000, description="Second fetus.")
    toco: list[float | None] | None = Field(None, max_length=400_000)
    mhr_bpm: list[float | None] | None = Field(None, max_length=400_000, description="Maternal heart rate.")


class StatedRequest(BaseModel):
    """Clinical observations that guidelines use and a trace does not show; null is unknown."""

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
    columns: str | None = Field(None, max_length=400, description="What columns of a table hold: LABEL:what,...")
    performed_at: Moment | None = Field(None, description="Only where the file does not say it.")
    performed_at_reason: str | None = Field(None, max_length=400, description="Why it differs from the file's time.")
    gestational_age: str | None = Field(None, description="weeks+days; only where there is no due date.")


Millimetres = Annotated[float | None, Field(gt=0)]
Centile = Annotated[float | None, Field(ge=0, le=100)]


DOPPLERS = (
    *(field for field, *_ in INDICES.values()),
    *(f"{index}_centile" for index in INDICES),
    "umbilical_end_diastolic_flow",
    "ductus_venosus_a_wave",
)
TYPED = (*RANGES, *DOPPLERS, "amniotic_fluid", "deepest_pocket_mm")


class ScanRequest(BaseModel):
    """A scan: images beside the request, typed measures or Dopplers, or all of them; null is unknown."""

    model_config = ConfigDict(extra="forbid")

    pixel_size_mm: float | None = Field(None, description="Where the file states no scale.")
    calliper: tuple[float, float, float, float, float] | None = Field(
        None, description="x0, y0, x1, y1 in pixels and the length in mm of a line of known length."
    )
    frame: int | None = Field(None, ge=1, description="Only this frame of a DICOM clip.")
    head_circumference_mm: Millimetres = Field(
        None, description="Typed; replaces the measurement of the model. Both are stored."
    )
    biparietal_diameter_mm: Millimetres = None
    occipitofrontal_diameter_mm: Millimetres = None
    abdominal_circumference_mm: Millimetres = None
    femur_length_mm: Millimetres = None
    weight_standard: WeightStandard | None = None
    umbilical_artery_pi_centile: Centile = None
    umbilical_artery_pi_above_95th: bool | None = None
    uterine_artery_pi_centile: Centile = None
    uterine_artery_pi_above_95th: bool | None = None
    cerebroplacental_ratio_centile: Centile = None
    cerebroplacental_ratio_below_5th: bool | None = None
    middle_cerebral_artery_pi_centile: Centile = None
    middle_cerebral_artery_pi_below_5th: bool | None = None
    ductus_venosus_pi_centile: Centile = None
    ductus_venosus_pi_above_95th: bool | None = None
    umbilical_end_diastolic_flow: Flow | None = None
    ductus_venosus_a_wave: Flow | None = Field(None, description="Absent or reversed is a finding of its own.")
    amniotic_fluid: AmnioticFluid | None = None
    deepest_pocket_mm: float | None = Field(None, ge=0, description="Deepest vertical pocket of amniotic fluid.")
    congenital_anomaly: bool | None = None
    other_fetus_weight_g: float | None = Field(
        None, ge=100, le=7000, description="Of twins: estimated weight of the other one at the same scan."
    )
    dates_pregnancy: bool | None = Field(None, description="Date and lock the pregnancy by this scan's head and femur.")
    performed_at: Moment | None = Field(None, description="Only where the file does not say it.")
    performed_at_reason: str | None = Field(None, max_length=400, description="Why it differs from the file's time.")
    gestational_age: str | None = Field(None, description="weeks+days; only where there is no due date.")

    @property
    def typed(self) -> bool:
        """Whether any measure, Doppler or the amniotic fluid was typed: each is an examination without an image."""
        return any(getattr(self, name) is not None for name in TYPED)

    @property
    def stated(self) -> list[str]:
        """Names of the given fields that have no meaning without an image or a typed measure."""
        about = {"performed_at", "performed_at_reason", "gestational_age", "weight_standard", *TYPED}
        return [name for name in type(self).model_fields if name not in about and getattr(self, name) is not None]


class OutlineRequest(BaseModel):
    """An outline of the head as a person drew it, in the pixels of one of the scan's images."""

    model_config = ConfigDict(extra="forbid")

    image: int = Field(0, ge=0, le=7)
    centre_x: float
    centre_y: float
    semi_major: float = Field(gt=5)
    semi_minor: float = Field(gt=5)
    angle: float = Field(ge=-3.2, le=3.2, description="From +x towards +y (down) to the major axis, radians.")
    reason: str = Field(min_length=1, max_length=400)


class TimeRequest(BaseModel):
    """Another time of one examination of an assessment."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["ctg", "scan"]
    performed_at: Moment
    reason: str = Field(min_length=1, max_length=400)


class OutlineForm(OutlineRequest):
    """The outline as a page sends it, together with its CSRF token."""

    model_config = ConfigDict(extra="ignore")


class ScaleRequest(BaseModel):
    """The scale of one of the scan's images, as typed or by a line of known length over it."""

    model_config = ConfigDict(extra="forbid")

    image: int = Field(0, ge=0, le=7)
    pixel_size_mm: float | None = None
    calliper: tuple[float, float, float, float, float] | None = None
    reason: str = Field(min_length=1, max_length=400)


@dataclass(frozen=True)
class Uploads:
    """Files of one request, by kind and name."""

    ctg: Files
    image: Files


class AssessmentRequest(BaseModel):
    """One assessment of one fetus."""

    model_config = ConfigDict(extra="forbid")

    patient: PatientRequest
    must_exist: bool = Field(False, description="Refuse (409) where no woman of this pseudonym is registered.")
    must_be_clear: bool = Field(
        False, description="Refuse (409) a new pseudonym that is easily taken for a known one. The page sets it."
    )
    fetus: str = Field("A", pattern=r"^[A-F]$")
    identity_reason: str | None = Field(
        None, max_length=400, description="Why a file that names another woman, or is stored for one, is this woman's."
    )
    ctg: CtgRequest | None = None
    scan: ScanRequest | None = None


class ExaminationAnswer(BaseModel):
    """One examination of an assessment: when it was made and at which age, each with its source."""

    kind: Literal["ctg", "scan"]
    performed_at: datetime
    performed_at_source: str
    gestational_age_days: int | None
    age_source: str


class WithdrawalAnswer(BaseModel):
    """Who marked an assessment as entered in error, and why: it counts nowhere, and stays in the record."""

    at: datetime
    by: str
    reason: str


class MoveRequest(ReasonRequest):
    """The woman and fetus whose examinations these are."""

    patient: str = Field(min_length=1, max_length=80, description="A registered pseudonym.")
    fetus: str = Field("A", pattern=r"^[A-F]$")
    identity_reason: str = Field("", max_length=400, description="Why files that name another woman are hers.")


class MoveForm(MoveRequest):
    """The same as a page sends it, together with its CSRF token."""

    model_config = ConfigDict(extra="ignore")


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
    entered_in_error: WithdrawalAnswer | None = None
    similar: list[str] = Field(description="Other pseudonyms that are easily taken for this one.")
    code_version: str
    input_hashes: dict[str, str]
    examinations: list[ExaminationAnswer]
    result: dict[str, Any]
    notice: str = "Research prototype. Not a medical device. Not for patient care."


class AssessmentItem(BaseModel):
    """A stored assessment in a list: without its result."""

    id: int
    url: str
    patient: str
    fetus: str
    synthetic_patient: bool
    state: str
    score: float | None
    why: str
    gestational_age_days: int | None
    reviewed: str | None
    signed_by: str | None
    created_at: datetime
    created_by: str


class AssessmentList(BaseModel):
    """One page of a list; `next` is the address of the next one."""

    items: list[AssessmentItem]
    next: str | None
    total: int | None
