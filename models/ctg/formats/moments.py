"""Times as people and recorders write them: clock times, dates, ISO 8601, and counts since 1970."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_CLOCK = re.compile(r"^(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2}(?:[.,]\d+)?)\s*(am|pm)?$", re.IGNORECASE)
_DAY_FIRST = re.compile(r"^(\d{1,2})[./-](\d{1,2})[./-](\d{4})(?:[ T,]+(.*))?$")
_YEAR_FIRST = re.compile(r"^(\d{4})[./-](\d{1,2})[./-](\d{1,2})(?:[ T,]+(.*))?$")
_FRACTION = re.compile(r"([.,])(\d{7,})")
EPOCH_MS_FROM, EPOCH_S_FROM = 1e11, 5e8


@dataclass(frozen=True, slots=True)
class Moment:
    """One cell of a time column.

    Attributes
    ----------
    seconds : float
        Since the start of its day for a clock time; since 1970 with a date; as written for a number.
    dated : bool
        With a date.
    zoned : bool
        With a zone, or a count since 1970.
    clock : bool
        Written with hours, minutes and seconds.
    """

    seconds: float
    dated: bool = False
    zoned: bool = False
    clock: bool = False


def moment_of(text: str) -> Moment | None:
    """Read a clock time, or a date with one; None where it is neither (numbers are not read here)."""
    cell = text.strip()
    if match := _CLOCK.match(cell):
        return _clock(match)
    for pattern, order in ((_YEAR_FIRST, (0, 1, 2)), (_DAY_FIRST, (2, 1, 0))):
        if match := pattern.match(cell):
            return _dated(match, order)
    return None


def _clock(match: re.Match[str]) -> Moment | None:
    hours, minutes, seconds = int(match[1] or 0), int(match[2]), float(match[3].replace(",", "."))
    if match[4]:
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + (12 if match[4].casefold() == "pm" else 0)
    if (minutes > 59 and match[1]) or seconds >= 60:
        return None
    return Moment(3600.0 * hours + 60.0 * minutes + seconds, clock=True)


def _dated(match: re.Match[str], order: tuple[int, int, int]) -> Moment | None:
    numbers = [int(match[k]) for k in (1, 2, 3)]
    year, month, day = (numbers[k] for k in order)
    rest = (match[4] or "").strip()
    try:
        start = datetime(year, month, day)
    except ValueError:
        return None
    if not rest:
        return Moment(start.replace(tzinfo=UTC).timestamp(), dated=True)
    clock = moment_of(rest)
    if clock is not None and clock.clock:
        return Moment((start.replace(tzinfo=UTC) + timedelta(seconds=clock.seconds)).timestamp(), True, False, True)
    try:
        exact = datetime.fromisoformat(f"{start:%Y-%m-%d}T{_FRACTION.sub(_shorten, rest)}")
    except ValueError:
        return None
    zoned = exact.tzinfo is not None
    return Moment((exact if zoned else exact.replace(tzinfo=UTC)).timestamp(), True, zoned, True)


def _shorten(match: re.Match[str]) -> str:
    return match[1] + match[2][:6]


def ambiguous(text: str) -> bool:
    """True where day and month of a date could be exchanged: 03/04/2026 with a slash, which Americans write m/d/y."""
    match = _DAY_FIRST.match(text.strip())
    return bool(match and "/" in text and int(match[1]) <= 12 and int(match[2]) <= 12 and match[1] != match[2])


def as_datetime(seconds: float, zoned: bool) -> datetime:
    """The moment that `Moment.seconds` of a dated cell means; without a zone where none was stated."""
    exact = datetime.fromtimestamp(seconds, UTC)
    return exact if zoned else exact.replace(tzinfo=None)
