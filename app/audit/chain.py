"""The chain of the audit: each link holds the hash of a row and of the link before it.

A link is added within about a second after its row, in a transaction of its own, so that no request waits for it. The
last hash, the head, says everything that stood in the audit: whoever changes, removes or reorders rows up to a head
cannot make the same one again. Heads are kept where the database's own hands do not reach: in every backup, and in a
file outside where the installation names one.
"""

import hashlib
import json
import logging
import threading
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from sqlalchemy import ColumnElement, String, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, Session, mapped_column, sessionmaker

from app.audit.store import AuditRow
from app.orm import Base, now
from app.transactions import OutdatedError, attempt
from models.errors import FetalHealthError, InputError

_log = logging.getLogger(__name__)
BEGINNING = "0" * 64
EVERY_S = 0.5
AT_ONCE = 2_000
# A row with a smaller number may be committed after one with a larger number, by so many at most.
LATE = 10_000


class AuditLink(Base):
    """One link: its position, the number of its row, and the hash of both and of the link before."""

    __tablename__ = "audit_link"

    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    row_id: Mapped[int] = mapped_column(unique=True)
    hash: Mapped[str] = mapped_column(String(64))


UNLINKED = ~select(AuditLink.row_id).where(AuditLink.row_id == AuditRow.id).exists()


@dataclass(frozen=True)
class Head:
    """The last link at some moment: how many links there were, and the last hash."""

    position: int
    hash: str

    @classmethod
    def parse(cls, text: str) -> "Head":
        """From ``position:hash``, as `str` writes it; an InputError where it is none."""
        position, _, value = text.strip().partition(":")
        if not position.isdecimal() or len(value) != 64 or len(position) > 12:
            raise InputError(f"{text.strip()[:80]!r} is no head of the audit, such as 1042:9f3a...")
        return cls(int(position), value)

    def __str__(self) -> str:
        """As files and manifests hold it."""
        return f"{self.position}:{self.hash}"


def link_hash(before: str, position: int, row: AuditRow) -> str:
    """The hash of a link."""
    said = [
        position,
        row.id,
        row.at.astimezone(UTC).isoformat(),
        row.user_id,
        row.user_name,
        row.action,
        row.subject,
        row.woman_id,
        row.place,
        row.session,
        row.detail,
    ]
    text = json.dumps(said, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()


def head(session: Session) -> Head:
    """The present head; position 0 where nothing is chained."""
    last = session.scalar(select(AuditLink).order_by(AuditLink.position.desc()).limit(1))
    return Head(last.position, last.hash) if last else Head(0, BEGINNING)


def _new(session: Session) -> tuple[ColumnElement[bool], ...]:
    """Conditions of rows that are not chained yet, without looking at all the older ones."""
    newest = session.scalar(select(func.max(AuditLink.row_id))) or 0
    return AuditRow.id > newest - LATE, UNLINKED


def seal(session: Session) -> int:
    """Chain rows that have no link yet; returns how many. An IntegrityError where another server was faster."""
    last = head(session)
    position, before = last.position, last.hash
    for row in session.scalars(select(AuditRow).where(*_new(session)).order_by(AuditRow.id).limit(AT_ONCE)):
        position += 1
        before = link_hash(before, position, row)
        session.add(AuditLink(position=position, row_id=row.id, hash=before))
    session.flush()
    return position - last.position


@dataclass(frozen=True)
class Verdict:
    """What a verification found.

    Attributes
    ----------
    head : Head
        As it comes out when the chain is computed again.
    problems : list of str
        Empty where every row is as it was chained, and every given head comes out.
    newer : int
        Rows that are not chained yet.
    """

    head: Head
    problems: list[str]
    newer: int


def verify(session: Session, heads: list[Head]) -> Verdict:
    """Compute the chain again from the rows, and compare it with its links and with heads that were kept elsewhere."""
    expected = {noted.position: noted.hash for noted in heads}
    problems: list[str] = []
    position, before = 0, BEGINNING
    links = select(AuditLink, AuditRow).outerjoin(AuditRow, AuditRow.id == AuditLink.row_id)
    with session.execute(links.order_by(AuditLink.position).execution_options(yield_per=AT_ONCE)) as chained:
        for link, row in chained:
            position += 1
            computed = link_hash(before, position, row) if row is not None else ""
            problem = _problem(link, row, position, computed, expected.get(position, computed))
            if problem:
                problems.append(problem)
                break
            before = computed
    if not problems:
        problems += [
            f"the chain ended at link {noted.position} once, and has {position} links now"
            for noted in heads
            if noted.position > position
        ]
    newer = session.scalar(select(func.count()).select_from(AuditRow).where(UNLINKED)) or 0
    return Verdict(Head(position, before), problems, newer)


def _problem(link: AuditLink, row: AuditRow | None, position: int, computed: str, expected: str) -> str:
    """What is wrong with a link, in words; empty where nothing is."""
    if link.position != position:
        return f"link {position} is missing"
    if row is None:
        return f"row {link.row_id} (link {position}) is missing"
    if computed != link.hash:
        return f"row {row.id} (link {position}) was changed, or stood elsewhere"
    return "" if computed == expected else f"the head at link {position} was another one"


def heads_in(path: Path) -> list[Head]:
    """Heads of a file that the sealer wrote.

    Raises
    ------
    FetalHealthError
        The file cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FetalHealthError(f"{path}: {getattr(error, 'strerror', None) or 'not a file of heads'}") from None
    return [Head.parse(line.split()[-1]) for line in lines if line.strip()]


class Sealer:
    """Chains new rows about twice a second, and writes each new head to a file outside where there is one.

    Parameters
    ----------
    sessions : sessionmaker
    outside : Path or None
        The file; best on another machine's disk, or one that can only be added to.
    """

    def __init__(self, sessions: sessionmaker[Session], outside: Path | None = None) -> None:
        self._sessions, self._outside = sessions, outside
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._written: Head | None = None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Chain what is left, and end."""
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        while True:
            ended = self._stop.wait(EVERY_S)
            try:
                self.step()
            except (SQLAlchemyError, OSError, OutdatedError) as error:
                _log.warning("audit: %s", type(error).__name__)
            if ended:
                return

    def step(self) -> None:
        """Chain everything that is new; nothing is locked where there is nothing."""
        while self._waiting():
            attempt(self._sessions, seal)
        if self._outside is None:
            return
        with self._sessions() as session:
            present = head(session)
        if present.position and present != self._written:
            with self._outside.open("a", encoding="utf-8") as file:
                file.write(f"{now():%Y-%m-%dT%H:%M:%SZ} {present}\n")
            self._written = present

    def _waiting(self) -> bool:
        with self._sessions() as session:
            return session.scalar(select(AuditRow.id).where(*_new(session)).limit(1)) is not None
