"""Two people at one record in the same moment: answers and record never contradict each other."""

import gc

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from app.patients.schemas import PatientRequest
from app.patients.service import fetus_of
from app.patients.store import Woman, hold
from app.transactions import OutdatedError
from benchmarks.races import measure
from tests.app.conftest import browser
from tests.examples import HEALTHY


@pytest.mark.soak
@pytest.mark.network
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_no_pair_of_actions_contradicts_itself(engine: str, request: pytest.FixtureRequest) -> None:
    address = None if engine == "sqlite" else request.getfixturevalue("postgresql_database")
    table = measure(address, trials=3)
    assert len(table) == 49
    assert {pair: wrong for pair, (_, wrong) in table.items() if wrong} == {}


def made(client: TestClient, **headers: str) -> int:
    body = {"patient": {"pseudonym": "P-1"}, "ctg": {"features": HEALTHY}}
    answer = client.post("/api/v1/assessments", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


def test_a_page_that_is_out_of_date_says_who_did_what(client: TestClient) -> None:
    form = {"csrf_token": browser(client, "clinician")}
    number = made(client, **{"x-csrf-token": form["csrf_token"]})
    page = client.get(f"/assessments/{number}").text
    assert 'name="seen" value="0"' in page
    review = {**form, "verdict": "cannot tell", "seen": "0"}
    assert client.post(f"/assessments/{number}/review", data=review).status_code == 303
    late = client.post(f"/assessments/{number}/sign", data={**form, "seen": "0"})
    assert late.status_code == 409
    assert "clinician-1 reviewed this (cannot tell) at" in late.text
    assert client.post(f"/assessments/{number}/sign", data={**form, "seen": "1"}).status_code == 303
    again = client.post(f"/assessments/{number}/sign", data={**form, "seen": "1"})
    assert again.status_code == 409
    assert "clinician-1 signed this at" in again.text


def test_the_version_that_was_read_stays_although_memory_is_freed(api: TestClient) -> None:
    made(api)
    sessions = api.app.state.sessions  # type: ignore[attr-defined]
    with sessions() as session, sessions() as other:
        fetus = fetus_of(session, PatientRequest(pseudonym="P-1"), "A")
        woman = other.scalars(select(Woman)).one()
        hold(other, woman, seen=woman.version)
        other.commit()
        gc.collect()
        with pytest.raises(OutdatedError, match="changed this record meanwhile"):
            hold(session, fetus.pregnancy.woman, seen=fetus.pregnancy.woman.version)
