"""Texts, days and numbers as people and systems send them, within what both databases and a calendar can hold."""

import re
from datetime import date, datetime
from typing import Annotated

from fastapi import Path, Query
from pydantic import AfterValidator, AwareDatetime

from models.errors import InputError

FIRST_YEAR, LAST_YEAR = 1900, 2200
# What no text of ours holds: PostgreSQL cannot store the first, and pages and logs should not show the others.
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
CONTROL_IN_JSON = re.compile(rb"\\u00(?:0[0-8bBcCeEfF]|1[0-9a-fA-F]|7[fF])")


def _in_calendar(moment: date) -> date:
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"the year is outside {FIRST_YEAR} to {LAST_YEAR}")
    return moment


def _moment_in_calendar(moment: datetime) -> datetime:
    _in_calendar(moment)
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_moment_in_calendar)]
LocalMoment = Annotated[datetime, AfterValidator(_moment_in_calendar)]
Date = Annotated[date, AfterValidator(_in_calendar)]
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
Word = Annotated[str, Query(max_length=80)]
Day = Annotated[str, Query(max_length=10, description="A day such as 2026-10-28, UTC.")]


def day_of(name: str, text: str) -> date | None:
    """A day as a form sends it; None where it is empty.

    Raises
    ------
    InputError
        It is no day.
    """
    if not text:
        return None
    try:
        return _in_calendar(date.fromisoformat(text))
    except ValueError:
        raise InputError(f"{name}: {text!r} is no day such as 2026-10-28") from None


def moment_in_calendar(name: str, text: str) -> datetime:
    """A time as a form sends it, with its zone if it states one.

    Raises
    ------
    InputError
        It is no time.
    """
    try:
        return _moment_in_calendar(datetime.fromisoformat(text))
    except ValueError:
        raise InputError(f"{name}: {text!r} is not a date and time") from None


def refuse_control(where: str, text: str) -> None:
    """Refuse a text with control characters other than tab and line ends.

    Raises
    ------
    InputError
        It names the place.
    """
    if CONTROL.search(text):
        raise InputError(f"{where} holds a control character; remove it")
