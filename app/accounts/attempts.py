"""Failed attempts at a password slow down who makes them, and nobody else.

An attempt is counted before the password is looked at, so that many at once are counted too. After some failures of
one place for one name each further attempt has to wait, longer every time. Attempts at one name from many places, and
at many names from one place, wait as well, but not those from a place where this name has signed in before: no stranger
can lock anybody out. An unknown name is treated as a known one.
"""

from datetime import datetime, timedelta
from hashlib import sha256
from math import ceil

from sqlalchemy import Select, String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column, sessionmaker

from app.errors import Problem
from app.orm import Base, now
from app.transactions import attempt, begin_writing

# Failures that cost nothing: of a place for a name, of a name everywhere, of a place for all names.
FREE = {"pair": 5, "name": 50, "place": 50}
LONGEST_S = 60
FORGOTTEN = timedelta(hours=1)
KNOWN = timedelta(days=90)


class SignInAttempt(Base):
    """Failures that are remembered; `key` and `name_key` are hashes, since a typed name may be a password."""

    __tablename__ = "sign_in_attempt"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    name_key: Mapped[str] = mapped_column(String(64), index=True)
    failures: Mapped[int] = mapped_column(default=0)
    last_at: Mapped[datetime] = mapped_column(index=True)
    known_at: Mapped[datetime | None]


class TooManyAttemptsError(Problem):
    """This attempt has to wait; it was not looked at."""

    def __init__(self, seconds: int) -> None:
        super().__init__(
            429,
            f"Too many failed attempts from here. Try again in {seconds} s.",
            headers={"Retry-After": str(seconds)},
        )


def _keys(place: str, name: str) -> dict[str, str]:
    parts = {"pair": f"{place}\0{name}", "name": name, "place": place}
    return {kind: sha256(f"{kind}\0{part.casefold()}".encode()).hexdigest() for kind, part in parts.items()}


def reserve(sessions: sessionmaker[Session], place: str, name: str) -> None:
    """Count an attempt as a failed one, before it is looked at.

    Raises
    ------
    TooManyAttemptsError
        It has to wait; it is not counted.
    """

    def work(session: Session) -> None:
        begin_writing(session)
        moment = now()
        session.execute(delete(SignInAttempt).where(SignInAttempt.last_at < moment - KNOWN))
        keys = _keys(place, name)
        rows = {row.key: row for row in session.scalars(_of(list(keys.values())).with_for_update())}
        pair = rows.get(keys["pair"])
        is_known = pair is not None and pair.known_at is not None and pair.known_at > moment - KNOWN
        waits = [
            _wait(rows[key], FREE[kind], moment)
            for kind, key in keys.items()
            if key in rows and (kind == "pair" or not is_known)
        ]
        if max(waits, default=0) > 0:
            raise TooManyAttemptsError(max(waits))
        for kind, key in sorted(keys.items(), key=lambda item: item[1]):
            if key not in rows:
                name_key = "" if kind == "place" else keys["name"]
                rows[key] = SignInAttempt(key=key, name_key=name_key, failures=0, last_at=moment)
                session.add(rows[key])
            row = rows[key]
            row.failures = 1 if moment - row.last_at > FORGOTTEN else row.failures + 1
            row.last_at = moment

    attempt(sessions, work)


def _of(keys: list[str]) -> Select[SignInAttempt]:
    return select(SignInAttempt).where(SignInAttempt.key.in_(keys)).order_by(SignInAttempt.key)


def _wait(row: SignInAttempt, free: int, moment: datetime) -> int:
    """Seconds until the next attempt; a clock that was set back lengthens nothing."""
    if row.failures < free or moment - row.last_at > FORGOTTEN:
        return 0
    delay = min(2.0 ** (row.failures - free), LONGEST_S)
    return max(ceil(delay - max((moment - row.last_at).total_seconds(), 0.0)), 0)


def succeeded(session: Session, place: str, name: str) -> None:
    """Take the reservation back: the password was right, and this place is known for the name from now on."""
    keys = _keys(place, name)
    for row in session.scalars(_of(list(keys.values())).with_for_update()):
        if row.key == keys["pair"]:
            row.failures, row.known_at = 0, now()
        else:
            row.failures = max(row.failures - 1, 0)


def forget(session: Session, name: str) -> None:
    """Unlock: failures at this name count no more, wherever they came from."""
    session.execute(delete(SignInAttempt).where(SignInAttempt.name_key == _keys("", name)["name"]))
