"""Pages of long lists: each page begins after a mark of the one before, and no list is read as a whole."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Generic, TypeVar, cast
from urllib.parse import urlencode

from fastapi import Query, Request
from sqlalchemy import ColumnElement, Integer, Select, bindparam, func, literal, select
from sqlalchemy.orm import Session

from models.errors import InputError

Row = TypeVar("Row")
# Totals are exact up to this. A filter that leaves fewer rows than FEW is applied first, and the order after it.
COUNTED, FEW = 1000, 5000
SIZE = 50
After = Annotated[str, Query(max_length=80, description="The mark of the page before; `next` holds it.")]
Limit = Annotated[int, Query(ge=1, le=200, description="Rows of a page.")]


@dataclass(frozen=True)
class Page(Generic[Row]):
    """One page of a list.

    Attributes
    ----------
    rows : list
    mark : str or None
        Where the next page begins; None on the last page.
    total : int or None
        Rows of all pages; None where there are more than `COUNTED`.
    """

    rows: list[Row]
    mark: str | None
    total: int | None

    @property
    def words(self) -> str:
        """The total in words."""
        return f"{COUNTED}+" if self.total is None else str(self.total)

    def next_of(self, request: Request) -> str | None:
        """The address of the next page; None on the last one."""
        if self.mark is None:
            return None
        parameters = [(name, value) for name, value in request.query_params.multi_items() if name != "after" and value]
        return f"{request.url.path}?{urlencode([*parameters, ('after', self.mark)])}"


def page_of(
    session: Session,
    query: "Select[Any]",
    order: Select[Any],
    limit: int,
    mark: Callable[[Any], Sequence[int | float | datetime]],
) -> Page[Any]:
    """One page.

    Parameters
    ----------
    query : Select
        With all filters; it is only counted.
    order : Select
        The same with its order, and begun after the mark.
    mark : callable
        Values of a row by which the list is ordered.
    """
    rows = list(session.scalars(order.limit(limit + 1)))
    counted = query.with_only_columns(literal(1), maintain_column_froms=True).limit(COUNTED + 1).subquery()
    total = session.scalar(select(func.count()).select_from(counted)) or 0
    more = len(rows) > limit
    rows = rows[:limit]
    return Page(rows, _written(mark(rows[-1])) if more else None, None if total > COUNTED else total)


def _written(values: Sequence[int | float | datetime]) -> str:
    return "_".join(value.isoformat() if isinstance(value, datetime) else repr(value) for value in values)


def begun_after(after: str, kinds: Sequence[Callable[[str], Any]]) -> tuple[Any, ...] | None:
    """Values of a mark; None for the first page.

    Raises
    ------
    InputError
        It is no mark of this list.
    """
    if not after:
        return None
    try:
        values = tuple(kind(part) for kind, part in zip(kinds, after.split("_"), strict=True))
    except ValueError:
        raise InputError(f"after: {after!r} is no mark of this list; take the address in `next`") from None
    if any(isinstance(value, int | float) and not abs(value) < 2**53 for value in values):
        raise InputError("after: a number in it is too large")
    return values


def few(session: Session, ids: "Select[Any]") -> list[int] | None:
    """The identifiers of a query, where they are few; None where the filter leaves many."""
    found = list(session.scalars(ids.limit(FEW + 1)))
    return found if len(found) <= FEW else None


def among(column: Any, numbers: Sequence[int]) -> ColumnElement[bool]:
    """The condition that a column holds one of many numbers, written out: thousands of parameters take longer."""
    written = bindparam(None, [int(number) for number in numbers], Integer, expanding=True, literal_execute=True)
    return cast(ColumnElement[bool], column.in_(written))


def between(column: Any, since: date | None, until: date | None) -> list[ColumnElement[bool]]:
    """Conditions for a moment on or after one day and on or before another, UTC."""
    found = [] if since is None else [column >= datetime.combine(since, time.min, UTC)]
    if until is not None:
        found.append(column < datetime.combine(until, time.min, UTC) + timedelta(days=1))
    return found
