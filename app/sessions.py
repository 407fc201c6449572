"""The database session of a request."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from app.transactions import unit_of_work


def session_of(request: Request) -> Iterator[Session]:
    """Open one transaction for a request, committed when the handler has returned."""
    with unit_of_work(request.app.state.sessions) as session:
        yield session


# A parameter of a route. The transaction ends before the response is sent, so a response never reports what was not
# stored.
Database = Annotated[Session, Depends(session_of, scope="function")]
