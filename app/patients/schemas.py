"""What a caller states about a patient."""

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from app.texts import Date

DatingMethod = Literal["last menstrual period", "crown-rump length", "scan", "assisted conception", "other"]


class PatientRequest(BaseModel):
    """A woman and her present pregnancy."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    pseudonym: str = Field(min_length=1, max_length=80, pattern=r"^[\w .:/-]+$", description="No name: an identifier.")
    due_date: Date | None = None
    dating_method: DatingMethod | None = None
    last_menstrual_period: Date | None = Field(None, description="First day; dates the pregnancy.")
    crown_rump_length_mm: float | None = Field(None, description="15 to 100 mm; dates the pregnancy.")
    crown_rump_length_on: Date | None = None
    parity: int | None = Field(None, ge=0, le=20)


class ReasonRequest(BaseModel):
    """A reason, which is kept in the audit."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    reason: str = Field(min_length=1, max_length=300)


class PseudonymRequest(ReasonRequest):
    """The pseudonym that a woman should have."""

    pseudonym: str = Field(min_length=1, max_length=80)


class MergeRequest(ReasonRequest):
    """The record under which another one of the same woman is put."""

    into: str = Field(min_length=1, max_length=80, description="A registered pseudonym.")


class PatientAnswer(BaseModel):
    """A woman with her pregnancies."""

    id: int
    pseudonym: str
    synthetic: bool
    due_date: date | None
    dating_method: str | None
    parity: int | None
    assessments: list[int]
    merged_into: str | None = Field(None, description="The pseudonym under which her record stands now.")
    similar: list[str] | None = Field(
        None, description="Other pseudonyms that are easily taken for this one; null in a list."
    )


class PatientList(BaseModel):
    """One page of a list; `next` is the address of the next one."""

    items: list[PatientAnswer]
    next: str | None
    total: int | None
