"""What a caller states about a patient, and gestational ages as text."""

import re
from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from models.errors import InputError, RangeError

DatingMethod = Literal["last menstrual period", "crown-rump length", "scan", "assisted conception", "other"]
MAX_AGE_DAYS = 44 * 7


class PatientRequest(BaseModel):
    """A woman and her present pregnancy."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    pseudonym: str = Field(min_length=1, max_length=80, pattern=r"^[\w .:/-]+$", description="No name: an identifier.")
    due_date: date | None = None
    dating_method: DatingMethod | None = None
    last_menstrual_period: date | None = Field(None, description="First day; dates the pregnancy.")
    crown_rump_length_mm: float | None = Field(None, description="15 to 100 mm; dates the pregnancy.")
    crown_rump_length_on: date | None = None
    parity: int | None = Field(None, ge=0, le=20)


class PatientAnswer(BaseModel):
    """A woman with her pregnancies."""

    pseudonym: str
    synthetic: bool
    due_date: date | None
    dating_method: str | None
    parity: int | None
    assessments: list[int]


def parse_age(text: str) -> int:
    """Days from ``weeks+days`` (``28+3``) or whole weeks (``28``).

    Raises
    ------
    InputError
        The text has another form.
    RangeError
        The age is negative, or above 44 weeks.
    """
    match = re.fullmatch(r"\s*(-?\d{1,3})(?:\s*\+\s*([0-6]))?\s*", text)
    if match is None:
        raise InputError(f"gestational age {text!r}: write weeks+days, for example 28+3")
    days = int(match.group(1)) * 7 + int(match.group(2) or 0)
    if not 0 < days <= MAX_AGE_DAYS:
        raise RangeError(f"gestational age {text.strip()} is outside 0+1 to 44+0 weeks")
    return days


def format_age(days: int | None) -> str:
    """``weeks+days``, or a dash when unknown."""
    return "-" if days is None else f"{days // 7}+{days % 7}"
