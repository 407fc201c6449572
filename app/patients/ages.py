"""Gestational ages as people write them."""

import re

from models.errors import InputError, RangeError

MAX_AGE_DAYS = 44 * 7


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
