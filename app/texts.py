"""Texts and days as forms and addresses send them, within what both databases and a calendar of people can hold."""

from datetime import date
from typing import Annotated

from fastapi import Path, Query

from models.errors import InputError

Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
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
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f"{name}: {text!r} is no day such as 2026-10-28") from None
