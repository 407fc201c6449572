"""Correcting the time of an examination, adding what was left out, and refusals that lose nothing."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from models.synthetic.traces import as_csv, trace
from tests.app.conftest import browser
from tests.app.test_examined import DATED, NOW, made, scan

CTG = {"a.csv": as_csv(trace(minutes=25, seed=4).recording)}


def time_of(client: TestClient, identifier: int, kind: str, days_ago: float, reason: str = "clock wrong") -> Any:
    body = {"kind": kind, "performed_at": (NOW - timedelta(days=days_ago)).isoformat(), "reason": reason}
    return client.post(f"/api/v1/assessments/{identifier}/time", json=body)


def test_a_corrected_time_makes_a_new_assessment_with_its_age(api: TestClient) -> None:
    old = made(api, DATED, CTG, scan(30))
    answer = time_of(api, old["id"], "scan", 2)
    assert answer.status_code == 201, answer.text
    new = answer.json()
    ctg, examined = new["examinations"]
    assert (examined["gestational_age_days"], examined["performed_at_source"]) == (237, "stated")
    assert ctg == old["examinations"][0]
    assert any("28 days" in line or "30 days" in line for line in old["result"]["missing"] + old["result"]["remarks"])
    assert not any("30 days from the CTG" in line for line in new["result"]["missing"] + new["result"]["remarks"])
    page = api.get(f"/assessments/{old['id']}", headers={"Accept": "text/html"}).text
    assert "Replaced by" in page
    page = api.get(f"/assessments/{new['id']}", headers={"Accept": "text/html"}).text
    assert "(as stated), the file says" in " ".join(page.split())
    moved = time_of(api, new["id"], "ctg", 20).json()
    assert moved["examinations"][0]["gestational_age_days"] == 219


@pytest.mark.parametrize(
    ("kind", "days_ago", "why"), [("ctg", -3, "in the future"), ("scan", 400, "outside this preg")]
)
def test_an_impossible_time_is_refused(api: TestClient, kind: str, days_ago: int, why: str) -> None:
    old = made(api, DATED, CTG, scan(30))
    answer = time_of(api, old["id"], kind, days_ago)
    assert answer.status_code == 422
    assert why in answer.json()["detail"]


def test_a_time_needs_an_examination_a_reason_and_a_dated_scan_keeps_its_own(api: TestClient) -> None:
    old = made(api, DATED, CTG)
    assert "has no scan" in time_of(api, old["id"], "scan", 2).json()["detail"]
    assert time_of(api, old["id"], "ctg", 2, "").status_code == 422
    dating = made(api, {"patient": "P-2", "dates_pregnancy": "true"}, None, scan(30, 3))
    assert "dated the pregnancy" in time_of(api, dating["id"], "scan", 2).json()["detail"]


def test_a_scan_is_added_to_a_ctg_without_choosing_the_ctg_again(api: TestClient) -> None:
    old = made(api, DATED, CTG)
    files = [("image", ("a.dcm", scan(3)))]
    answer = api.post(f"/api/v1/assessments/{old['id']}/additions", data={"patient": "P-1"}, files=files)
    assert answer.status_code == 201, answer.text
    new = answer.json()
    assert [each["kind"] for each in new["examinations"]] == ["ctg", "scan"]
    assert new["examinations"][0] == old["examinations"][0]
    assert new["result"]["growth"]["probability"] is not None
    again = api.post(f"/api/v1/assessments/{new['id']}/additions", data={"patient": "P-1"}, files=files)
    assert "has a scan already" in again.json()["detail"]


def test_a_due_date_is_added_and_gives_the_age(api: TestClient) -> None:
    old = made(api, {}, CTG, scan(30))
    assert old["examinations"][1]["gestational_age_days"] is None
    path = f"/api/v1/assessments/{old['id']}/additions"
    empty = [("image", ("", b""))]
    nothing = api.post(path, data={"patient": "P-1"}, files=empty)
    assert "nothing was added" in nothing.json()["detail"]
    other = api.post(path, data={"patient": "P-2"} | DATED, files=empty)
    assert "for the woman and the fetus of the assessment" in other.json()["detail"]
    new = api.post(path, data={"patient": "P-1"} | DATED, files=empty).json()
    assert new["examinations"][1]["gestational_age_days"] == 209
    assert new["result"]["growth"]["probability"] is not None


def test_an_age_is_added_only_where_none_is_known(api: TestClient) -> None:
    old = made(api, {}, None, scan(30))
    path, empty = f"/api/v1/assessments/{old['id']}/additions", [("image", ("", b""))]
    new = api.post(path, data={"patient": "P-1", "scan_gestational_age": "29+6"}, files=empty).json()
    assert new["examinations"][0]["gestational_age_days"] == 209
    later = f"/api/v1/assessments/{new['id']}/additions"
    twice = api.post(later, data={"patient": "P-1", "scan_gestational_age": "30+0"}, files=empty)
    assert "is known already" in twice.json()["detail"]


def test_the_pages_of_time_and_additions(client: TestClient) -> None:
    csrf = browser(client, "clinician")
    form = {"csrf_token": csrf, "patient": "P-1", **DATED}
    first = client.post("/assessments/new", data=form, files={"ctg": ("a.csv", CTG["a.csv"])}).headers["location"]
    assert "Add one" in client.get(first).text
    assert "Add what was left out" in client.get(f"{first}/add").text
    refused = client.post(f"{first}/add", data=form, files={"image": ("", b"")})
    assert refused.status_code == 422
    assert "nothing was added" in refused.text
    added = client.post(f"{first}/add", data=form, files={"image": ("a.dcm", scan(3))})
    assert added.status_code == 303
    moved = client.post(
        f"{added.headers['location']}/time",
        data={
            "csrf_token": csrf,
            "kind": "scan",
            "performed_at": f"{NOW - timedelta(days=5):%Y-%m-%dT%H:%M}",
            "reason": "x",
        },
    )
    assert moved.status_code == 303
    wrong = {"csrf_token": csrf, "kind": "scan", "performed_at": "yesterday", "reason": "x"}
    assert client.post(f"{moved.headers['location']}/time", data=wrong).status_code == 422


def test_a_refusal_to_a_script_keeps_the_page_and_its_files(client: TestClient) -> None:
    csrf = browser(client, "clinician")
    script = {"HX-Request": "true", "X-CSRF-Token": csrf}
    bad = client.post("/assessments/new", data={"patient": "P-1"}, files={"ctg": ("a.csv", b"x")}, headers=script)
    assert bad.status_code == 422
    assert "<form" not in bad.text
    assert "the files stay chosen" in bad.text
    good = client.post(
        "/assessments/new", data={"patient": "P-1"}, files={"ctg": ("a.csv", CTG["a.csv"])}, headers=script
    )
    assert good.headers["hx-redirect"].startswith("/assessments/")
    client.cookies.clear()
    over = client.post("/assessments/new", data={"patient": "P-1"}, files={"ctg": ("a.csv", b"x")}, headers=script)
    assert over.status_code in (401, 403)
    assert "<form" not in over.text


def test_the_time_is_that_of_the_request_zone(api: TestClient) -> None:
    old = made(api, DATED, CTG)
    local = datetime.now(UTC).astimezone().replace(microsecond=0) - timedelta(days=1)
    body = {"kind": "ctg", "performed_at": local.isoformat(), "reason": "zone"}
    new = api.post(f"/api/v1/assessments/{old['id']}/time", json=body).json()
    assert datetime.fromisoformat(new["examinations"][0]["performed_at"]) == local


@pytest.mark.parametrize(
    ("body", "why"),
    [(b"\xff", "not UTF-8"), (b"[" * 100_000, "nested too deeply"), (b"[1,", "is not valid JSON")],
)
def test_a_body_that_is_no_json_is_one_plain_line(api: TestClient, body: bytes, why: str) -> None:
    answer = api.post("/api/v1/assessments", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert why in answer.json()["detail"]


def test_too_many_pictures_are_refused_before_they_are_read(api: TestClient) -> None:
    files = [("image", (f"{k}.png", b"x")) for k in range(60)]
    answer = api.post("/api/v1/assessments", data={"patient": "P-1"}, files=files)
    assert "60 files; one examination takes at most 8 images" in answer.json()["detail"]


def test_an_unknown_query_parameter_is_refused_by_name(api: TestClient) -> None:
    assert api.get("/api/v1/assessments?patient=P-1").status_code == 200
    for query, why in (("lmt=5", "unknown query parameter 'lmt'"), ("state=low&state=high", "more than once")):
        answer = api.get(f"/api/v1/assessments?{query}")
        assert answer.status_code == 422
        assert why in answer.json()["detail"]


def test_a_birth_can_be_entered_after_the_time_of_a_scan_was_corrected(api: TestClient) -> None:
    old = made(api, DATED, CTG)  # no time: taken as today
    birth = {"umbilical_artery_ph": 7.2, "born_at": (NOW - timedelta(days=5)).isoformat()}
    first = api.post("/api/v1/patients/P-1/outcomes", json=birth)
    assert first.status_code == 422
    assert "correct its time" in first.json()["detail"]
    assert time_of(api, old["id"], "ctg", 6).status_code == 201
    assert api.post("/api/v1/patients/P-1/outcomes", json=birth).status_code == 201
