"""The chain of the audit: what was changed, removed or reordered up to a head is found."""

import csv
import io
import random
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, delete, select, text, update
from sqlalchemy.orm import Session, sessionmaker

from app.audit import chain
from app.audit.chain import AuditLink, Head, Sealer, head, heads_in, seal, verify
from app.audit.store import AuditRow, record
from app.database import make_engine, migrate, session_factory
from app.orm import now
from app.transactions import unit_of_work
from models.errors import InputError
from tests.app.conftest import browser


class Person:
    id, name, place, session = None, "anna", "10.0.0.1", "abc"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.network)])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    address = f"sqlite:///{tmp_path / 'a.db'}"
    if request.param == "postgresql":
        address = request.getfixturevalue("postgresql_database")
    made = make_engine(address)
    migrate(made)
    yield made
    made.dispose()


@pytest.fixture
def sessions(engine: Engine) -> sessionmaker[Session]:
    return session_factory(engine)


def fill(sessions: sessionmaker[Session], rows: int) -> None:
    with unit_of_work(sessions) as session:
        for number in range(rows):
            record(session, Person, f"action.{number % 7}", number=number, of=["ä", None, 0.1])


def sealed(sessions: sessionmaker[Session], rows: int) -> Head:
    fill(sessions, rows)
    with unit_of_work(sessions) as session:
        assert seal(session) == rows
        return head(session)


def test_an_untouched_chain_is_whole(sessions: sessionmaker[Session]) -> None:
    first = sealed(sessions, 30)
    fill(sessions, 3)
    with unit_of_work(sessions) as session:
        verdict = verify(session, [first])
        assert (verdict.head, verdict.problems, verdict.newer) == (first, [], 3)
        assert seal(session) == 3
        assert verify(session, [first, head(session)]).problems == []
        assert seal(session) == 0


def forged(session: Session) -> None:
    """Somebody who may write everywhere makes the whole chain again."""
    session.execute(delete(AuditLink))
    session.flush()
    seal(session)


def _another(value: Any, dice: random.Random) -> Any:
    if isinstance(value, int):
        return value + dice.randint(1, 5)
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, dict):
        return {**value, "number": -1 - dice.randint(0, 1000)}
    return value + timedelta(seconds=dice.randint(1, 1000)) if value is not None else 1


def changed(session: Session, dice: random.Random, numbers: list[int]) -> None:
    """One change of one row, one removal, or two rows that change their places."""
    kind = dice.choice(["change", "remove", "swap"])
    one, other = dice.sample(numbers, 2)
    if kind == "change":
        column = dice.choice(["at", "user_name", "action", "subject", "woman_id", "place", "session", "detail"])
        row = session.get_one(AuditRow, one)
        session.execute(
            update(AuditRow).where(AuditRow.id == one).values({column: _another(getattr(row, column), dice)})
        )
    elif kind == "remove":
        session.execute(delete(AuditRow).where(AuditRow.id == one))
    else:
        for number, to in ((one, -1), (other, one), (-1, other)):
            session.execute(update(AuditRow).where(AuditRow.id == number).values(id=to))
    if dice.random() < 0.5:
        forged(session)


@pytest.mark.slow
def test_a_thousand_random_changes_are_found(sessions: sessionmaker[Session]) -> None:
    known = sealed(sessions, 40)
    dice, found = random.Random(20), 0
    with sessions() as session:
        numbers = list(session.scalars(select(AuditRow.id)))
    for _ in range(1000):
        with sessions() as session:
            changed(session, dice, numbers)
            session.flush()
            session.expire_all()
            found += bool(verify(session, [known]).problems)
            session.rollback()
    assert found == 1000


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda s: s.execute(update(AuditRow).where(AuditRow.id == 5).values(user_name="x")), "row 5 .* was changed"),
        (lambda s: s.execute(delete(AuditRow).where(AuditRow.id == 5)), "row 5 .* is missing"),
        (lambda s: s.execute(delete(AuditLink).where(AuditLink.position == 5)), "link 5 is missing"),
        (lambda s: s.execute(delete(AuditLink).where(AuditLink.position > 20)), "ended at link 30 once"),
    ],
)
def test_what_is_wrong_is_said(sessions: sessionmaker[Session], harm: Callable[[Session], Any], words: str) -> None:
    known = sealed(sessions, 30)
    with unit_of_work(sessions) as session:
        harm(session)
    with unit_of_work(sessions) as session:
        (problem,) = verify(session, [known]).problems
    assert __import__("re").search(words, problem), problem


def test_a_row_that_was_committed_late_is_chained_later(sessions: sessionmaker[Session]) -> None:
    sealed(sessions, 5)
    with unit_of_work(sessions) as session:
        session.add(AuditRow(id=50, at=now(), user_name="a", action="x", detail={}))
        session.flush()
        seal(session)
    with unit_of_work(sessions) as session:
        session.add(AuditRow(id=40, at=now(), user_name="b", action="y", detail={}))
        session.flush()
        assert seal(session) == 1
        assert verify(session, []).newer == 0
        assert verify(session, []).problems == []


def test_the_sealer_chains_within_a_second_and_writes_the_head_outside(
    sessions: sessionmaker[Session], tmp_path: Path
) -> None:
    outside = tmp_path / "heads"
    sealer = Sealer(sessions, outside)
    sealer.start()
    fill(sessions, 20)
    begun = time.monotonic()
    while not (outside.exists() and heads_in(outside)[-1].position == 20):
        assert time.monotonic() - begun < 10
        time.sleep(0.02)
    sealer.stop()
    with unit_of_work(sessions) as session:
        assert verify(session, heads_in(outside)).problems == []


def test_two_servers_make_one_chain(sessions: sessionmaker[Session]) -> None:
    sealers = [Sealer(sessions), Sealer(sessions)]
    for sealer in sealers:
        sealer.start()
    for _ in range(20):
        fill(sessions, 10)
        time.sleep(0.02)
    for sealer in sealers:
        sealer.stop()
    with unit_of_work(sessions) as session:
        verdict = verify(session, [])
        assert (verdict.head.position, verdict.problems, verdict.newer) == (200, [], 0)


@pytest.mark.parametrize("words", ["", "5", "5:abc", "x:" + "0" * 64, "9" * 30 + ":" + "0" * 64])
def test_a_head_that_is_none(words: str) -> None:
    with pytest.raises(InputError, match="is no head of the audit"):
        Head.parse(words)


def test_the_commands(cli: Any, home: Path, tokens: dict[str, str], tmp_path: Path) -> None:
    sessions = session_factory(make_engine(f"sqlite:///{home / 'fetal-health.db'}"))
    known = sealed(sessions, 12)
    assert cli("audit", "head").output.strip() == str(known)
    fill(sessions, 2)
    good = cli("audit", "verify", "--head", str(known))
    assert good.exit_code == 0, good.output
    assert "12 rows chained, 2 newer; 1 heads compared" in good.output
    with unit_of_work(sessions) as session:
        session.execute(text("UPDATE audit SET user_name = 'x' WHERE id = 4"))
        session.flush()
        forged(session)
    bad = cli("audit", "verify", "--head", str(known))
    assert bad.exit_code == 1
    assert "the head at link 12 was another one" in bad.output
    missing = cli("audit", "verify", "--heads", str(tmp_path / "nothing"))
    assert missing.exit_code != 0
    written = cli("backup", str(tmp_path / "a.tar.gz"))
    assert f"audit {known.position + 2}:" in written.output


def test_the_page_filters_and_exports(client: TestClient) -> None:
    browser(client, "clinician")
    client.get("/audit")  # refused, which is a row
    client.cookies.clear()
    browser(client, "administrator")
    page = client.get("/audit?action=access.refused").text
    assert "GET /audit" in page
    assert "patients.read" not in page
    table = client.get("/audit/export?action=access.refused")
    assert table.headers["content-disposition"] == 'attachment; filename="audit.csv"'
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["user"] for row in rows] == ["clinician-1"]
    assert "GET /audit" in rows[0]["detail"]


def test_no_cell_of_the_export_is_a_formula(client: TestClient) -> None:
    with unit_of_work(client.app.state.sessions) as session:  # type: ignore[attr-defined]
        session.add(AuditRow(at=now(), user_name="=1+1", action="x.y", detail={}))
    browser(client, "administrator")
    (row,) = csv.DictReader(io.StringIO(client.get("/audit/export?action=x.y").text))
    assert row["user"] == "'=1+1"


def test_links_say_everything_of_a_row() -> None:
    """A column that is added to the audit and not to the chain could be changed unseen."""
    columns = {column.name for column in AuditRow.__table__.columns}
    source = Path(chain.__file__).read_text(encoding="utf-8").split("def link_hash")[1].split("text =")[0]
    assert {name for name in columns if f"row.{name}" in source} == columns
