"""Long lists: every row is on exactly one page, filters and totals hold, and no list reads whole results."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event

from app.assessments.rows import parts_of
from app.assessments.store import OPEN, REPLACED, REVIEWED, Assessment
from app.audit.store import AuditRow
from app.orm import now
from app.patients.store import Fetus, Pregnancy, Woman
from app.transactions import unit_of_work
from tests.app.conftest import browser

PART = {"refusal": None, "probability": 0.1, "detail": {}}
RESULT: dict[str, Any] = {"state_reasons": ["because"], "missing": [], "distress": PART, "growth": PART}
SCORES = {"high": 88.0, "raised": 40.0, "undecided": None, "low": 5.0}


def fill(client: TestClient, count: int) -> None:
    """Women with one assessment each, of all states and standings, one a day."""
    with unit_of_work(client.app.state.sessions) as session:  # type: ignore[attr-defined]
        for number in range(count):
            state = list(SCORES)[number % 4]
            woman = Woman(pseudonym=f"{'Ab'[number % 2]}-{number:03}", created_at=now())
            fetus = Fetus(label="A", pregnancy=Pregnancy(woman=woman, created_at=now()))
            session.add(
                Assessment(
                    fetus=fetus,
                    bundle="b",
                    site="s",
                    code_version="1",
                    input_hashes={},
                    standing=(OPEN, OPEN, REVIEWED, REPLACED)[number // 4 % 4],
                    created_at=datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(days=number),
                    created_by="anna" if number % 3 else "clinician-1",
                    **parts_of(state, SCORES[state], RESULT, 200 + number % 80),
                )
            )


def everything(client: TestClient, address: str) -> list[Any]:
    """Items of all pages."""
    items: list[Any] = []
    while address:
        page = client.get(address)
        assert page.status_code == 200, page.text
        items += page.json()["items"]
        address = page.json()["next"]
    return items


def test_every_row_is_on_one_page_in_the_order_of_urgency(api: TestClient) -> None:
    fill(api, 64)
    rows = everything(api, "/api/v1/assessments?limit=7")
    assert len(rows) == len({row["id"] for row in rows}) == 48
    states = [row["state"] for row in rows]
    assert states[:8] == ["high"] * 8
    assert states[32:36] == ["high"] * 4
    high = [row["id"] for row in rows[:8]]
    assert high == sorted(high, reverse=True)
    assert api.get("/api/v1/assessments").json()["total"] == 48


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("state=high", 12),
        ("reviewed=true", 16),
        ("reviewed=false", 32),
        ("search=a-", 24),
        ("search=a-01", 3),
        ("search=Ａ-01", 3),
        ("patient=A-000", 1),
        ("patient=A-00", 0),
        ("search=z", 0),
        ("since=2026-03-05&until=2026-03-08", 4),
        ("since=2027-01-01", 0),
        ("state=high&reviewed=false&search=A&until=2026-03-20", 3),
    ],
)
def test_filters(api: TestClient, query: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(api, 64)
    for few in (2000, 2):  # a filter that leaves few rows and one that leaves many go different ways
        monkeypatch.setattr("app.paging.FEW", few)
        assert len(everything(api, f"/api/v1/assessments?limit=5&{query}")) == count
        assert api.get(f"/api/v1/assessments?{query}").json()["total"] == count


def test_patients_are_listed_in_pages(api: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(api, 30)
    for few in (2000, 2):
        monkeypatch.setattr("app.paging.FEW", few)
        rows = everything(api, "/api/v1/patients?limit=4&search=b")
        assert [row["pseudonym"] for row in rows] == [f"b-{number:03}" for number in range(29, 0, -2)]
        assert all(len(row["assessments"]) == 1 for row in rows)


def test_totals_are_exact_up_to_a_thousand(api: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(api, 32)
    monkeypatch.setattr("app.paging.COUNTED", 10)
    assert api.get("/api/v1/assessments").json()["total"] is None
    assert "10+ assessments" in api.get("/", headers={"Accept": "text/html"}).text


def test_the_audit_has_pages_and_days(client: TestClient, tokens: dict[str, str]) -> None:
    client.headers["Authorization"] = f"Bearer {tokens['administrator']}"
    with unit_of_work(client.app.state.sessions) as session:  # type: ignore[attr-defined]
        for number in range(20):
            at = datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(days=number)
            session.add(AuditRow(at=at, user_name="anna", action="x", subject=f"P-{number % 2}", detail={}))
    assert len(everything(client, "/api/v1/audit?limit=3&name=anna")) == 20
    assert len(everything(client, "/api/v1/audit?limit=3&name=anna&subject=P-1")) == 10
    days = everything(client, "/api/v1/audit?limit=3&name=anna&since=2026-03-05&until=2026-03-09")
    assert [row["at"][8:10] for row in days] == ["09", "08", "07", "06", "05"]


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("after=x", "no mark of this list"),
        ("after=1_2", "no mark of this list"),
        ("after=1_nan_1", "too large"),
        ("after=1_2.0_99999999999999999999", "too large"),
        ("limit=0", "limit"),
        ("limit=5000", "limit"),
        ("state=bogus", "state"),
        ("since=yesterday", "since"),
        ("reviewed=perhaps", "reviewed"),
        ("_lastUpdated=1", "unknown query parameter"),
    ],
)
def test_what_cannot_be_listed_is_refused(api: TestClient, query: str, why: str) -> None:
    answer = api.get(f"/api/v1/assessments?{query}")
    assert answer.status_code == 422
    assert why in answer.json()["detail"]


def test_pages_lead_to_the_next_and_keep_the_filter(client: TestClient) -> None:
    fill(client, 300)
    browser(client, "clinician")
    page = client.get("/?state=high&since=2026-01-01").text
    assert "57 assessments" in page
    link = page.split('<a href="/?')[1].split('"')[0].replace("&amp;", "&")
    assert link.startswith("state=high&since=2026-01-01&after=")
    following = client.get(f"/?{link}")
    assert following.status_code == 200
    assert "Next page" not in following.text
    assert client.get("/?since=tomorrow").status_code == 422


def test_no_list_reads_whole_results(api: TestClient) -> None:
    fill(api, 8)
    read: list[str] = []
    engine = api.app.state.engine  # type: ignore[attr-defined]
    event.listen(engine, "before_cursor_execute", lambda *arguments: read.append(arguments[2]))
    for path in ("/api/v1/assessments", "/api/v1/patients", "/", "/patients"):
        assert api.get(path).status_code == 200
    assert len(read) > 8
    assert not [statement for statement in read if "assessment.result" in statement]
