"""Mistakes undone: entered in error, moved to another woman, merged, renamed; and names that are easily confused."""

from datetime import date, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import null
from sqlalchemy.orm import Session

from app.audit.store import AuditRow
from app.patients.names import likenesses, unique_key
from app.patients.store import Woman
from app.transactions import unit_of_work
from tests.app.conftest import browser

HEAD = {"scan": {"head_circumference_mm": 270.0, "gestational_age": "29+0"}}
REASON = {"reason": "typing error"}


def patient(api: TestClient, pseudonym: str, **more: Any) -> dict[str, Any]:
    answer = api.post("/api/v1/patients", json={"pseudonym": pseudonym, **more})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def assessed(api: TestClient, pseudonym: str, **more: Any) -> dict[str, Any]:
    answer = api.post("/api/v1/assessments", json={"patient": {"pseudonym": pseudonym}, **HEAD, **more})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def worklist(api: TestClient) -> list[int]:
    return [item["id"] for item in api.get("/api/v1/assessments").json()["items"]]


def audited(api: TestClient, action: str) -> list[AuditRow]:
    with unit_of_work(api.app.state.sessions) as session:  # type: ignore[attr-defined]
        rows = session.query(AuditRow).filter_by(action=action).order_by(AuditRow.id).all()
        session.expunge_all()
        return list(rows)


# --- entered in error


def test_entered_in_error_leaves_the_worklist_and_stays_in_the_record(api: TestClient) -> None:
    number = assessed(api, "P-1")["id"]
    answer = api.post(f"/api/v1/assessments/{number}/entered-in-error", json={"reason": "test recording"})
    assert answer.status_code == 200
    assert answer.json()["entered_in_error"]["reason"] == "test recording"
    assert worklist(api) == []
    assert api.get("/api/v1/patients/P-1").json()["assessments"] == [number]
    page = api.get(f"/assessments/{number}", headers={"Accept": "text/html"}).text
    assert "Entered in error" in page
    assert "Sign and lock" not in page
    assert (
        page.index("There is no judgement here")
        < page.index("What it said, kept for the record")
        < page.index("risk c")
    )
    (row,) = audited(api, "assessment.withdraw")
    assert row.detail == {"assessments": [number], "reason": "test recording"}


def test_what_was_entered_in_error_takes_its_earlier_versions_along(api: TestClient) -> None:
    first = assessed(api, "P-1")["id"]
    body = {"kind": "scan", "performed_at": "2026-03-01T10:00:00Z", "reason": "clock"}
    second = api.post(f"/api/v1/assessments/{first}/time", json=body).json()["id"]
    refused = api.post(f"/api/v1/assessments/{first}/entered-in-error", json=REASON)
    assert refused.status_code == 409
    assert f"replaced by assessment {second}" in refused.json()["detail"]
    assert api.post(f"/api/v1/assessments/{second}/entered-in-error", json=REASON).status_code == 200
    assert worklist(api) == []
    assert api.get(f"/api/v1/assessments/{first}").json()["entered_in_error"] is not None


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("entered-in-error", REASON),
        ("time", {"kind": "scan", "performed_at": "2026-03-01T10:00:00Z", "reason": "clock"}),
        ("move", {"patient": "P-2", **REASON}),
    ],
)
def test_nothing_more_is_done_with_it(api: TestClient, path: str, body: dict[str, str]) -> None:
    patient(api, "P-2")
    number = assessed(api, "P-1")["id"]
    api.post(f"/api/v1/assessments/{number}/entered-in-error", json=REASON)
    refused = api.post(f"/api/v1/assessments/{number}/{path}", json=body)
    assert refused.status_code == 409
    assert "marked this as entered in error" in refused.json()["detail"]


def test_a_reason_is_needed(api: TestClient) -> None:
    number = assessed(api, "P-1")["id"]
    assert api.post(f"/api/v1/assessments/{number}/entered-in-error", json={"reason": " "}).status_code == 422
    assert worklist(api) == [number]


def test_a_due_date_that_its_scan_gave_goes_too(api: TestClient) -> None:
    scan = {"head_circumference_mm": 270.0, "dates_pregnancy": True}
    number = assessed(api, "P-1", scan=scan)["id"]
    assert api.get("/api/v1/patients/P-1").json()["due_date"] is not None
    api.post(f"/api/v1/assessments/{number}/entered-in-error", json=REASON)
    assert api.get("/api/v1/patients/P-1").json()["due_date"] is None


def test_growth_over_visits_does_not_count_it(api: TestClient) -> None:
    dated = {"pseudonym": "P-1", "due_date": "2026-06-01", "dating_method": "scan"}
    numbers = []
    for day, abdomen in (("2026-02-09", 225.0), ("2026-03-16", 258.0)):
        scan = {"abdominal_circumference_mm": abdomen, "performed_at": f"{day}T10:00:00Z"}
        numbers.append(api.post("/api/v1/assessments", json={"patient": dated, "scan": scan}).json()["id"])
    api.post(f"/api/v1/assessments/{numbers[0]}/entered-in-error", json=REASON)
    page = api.get(f"/assessments/{numbers[1]}", headers={"Accept": "text/html"}).text
    assert page.count('class="visit"') == 1


# --- another woman's


def test_moving_assesses_again_at_the_age_of_the_right_woman(api: TestClient) -> None:
    patient(api, "P-2", due_date="2026-06-01", dating_method="scan")
    scan = {"abdominal_circumference_mm": 258.0, "performed_at": "2026-03-16T10:00:00Z", "gestational_age": "20+0"}
    wrong = assessed(api, "P-1", scan=scan)
    moved = api.post(f"/api/v1/assessments/{wrong['id']}/move", json={"patient": "p-2", "reason": "wrong woman"})
    assert moved.status_code == 201, moved.text
    body = moved.json()
    assert body["patient"] == "P-2"
    assert body["examinations"][0]["gestational_age_days"] == 280 - (date(2026, 6, 1) - date(2026, 3, 16)).days
    assert body["result"]["growth"] != wrong["result"]["growth"]
    assert worklist(api) == [body["id"]]
    old = api.get(f"/api/v1/assessments/{wrong['id']}").json()
    assert old["patient"] == "P-1"
    assert "wrong woman" in old["entered_in_error"]["reason"]
    assert [row.subject for row in audited(api, "assessment.move")] == ["P-2"]


def test_a_scan_moved_to_the_other_twin_is_not_compared_with_itself(api: TestClient) -> None:
    """The weight of the other twin must not be that of the scan that was entered for her by mistake."""
    scan = {"abdominal_circumference_mm": 258.0, "femur_length_mm": 58.0, "head_circumference_mm": 290.0}
    wrong = assessed(api, "P-1", scan={**scan, "gestational_age": "31+0"}, fetus="A")["id"]
    body = {"patient": "P-1", "fetus": "B", "reason": "it was the other twin"}
    moved = api.post(f"/api/v1/assessments/{wrong}/move", json=body).json()
    assert moved.get("fetus") == "B", moved
    assert "discordance" not in moved["result"]["growth"]["detail"]["growth"]


def test_a_move_that_cannot_be_changes_nothing(api: TestClient) -> None:
    patient(api, "P-2", due_date="2025-01-01", dating_method="scan")
    number = assessed(api, "P-1")["id"]
    for body, status in (
        ({"patient": "P-9", **REASON}, 404),
        ({"patient": "P-1", **REASON}, 422),
        ({"patient": "P-2", **REASON}, 422),  # the examination lies outside her pregnancy
    ):
        assert api.post(f"/api/v1/assessments/{number}/move", json=body).status_code == status, body
    assert worklist(api) == [number]


# --- two records of one woman


def test_merged_records_are_one_and_both_names_lead_there(api: TestClient) -> None:
    due = str(date.today() + timedelta(days=70))
    one, other = patient(api, "P-1", due_date=due, dating_method="scan"), patient(api, "Q-1", parity=2)
    number = assessed(api, "Q-1")["id"]
    answer = api.post(f"/api/v1/patients/by-id/{other['id']}/merge", json={"into": "P-1", **REASON})
    assert answer.status_code == 200, answer.text
    assert answer.json() == {**one, "parity": 2, "assessments": [number]}
    for address in ("Q-1", "P-1", f"by-id/{other['id']}"):
        assert api.get(f"/api/v1/patients/{address}").json()["id"] == one["id"]
    assert api.get(f"/api/v1/assessments/{number}").json()["patient"] == "P-1"
    assert api.post("/api/v1/patients", json={"pseudonym": "q-1"}).status_code == 409
    assert assessed(api, "Q-1", scan={"head_circumference_mm": 270.0})["patient"] == "P-1"


def test_a_merge_can_be_undone(api: TestClient) -> None:
    one, other = patient(api, "P-1"), patient(api, "Q-1", due_date="2026-06-01", dating_method="scan")
    hers = assessed(api, "P-1")["id"]
    scan = {"scan": {"head_circumference_mm": 270.0, "performed_at": "2026-03-16T10:00:00Z"}}
    number = assessed(api, "Q-1", **scan)["id"]
    api.post(f"/api/v1/patients/by-id/{other['id']}/merge", json={"into": "P-1", **REASON})
    later = assessed(api, "P-1", **scan)["id"]
    parted = api.post(f"/api/v1/patients/by-id/{other['id']}/split", json=REASON)
    assert parted.status_code == 200, parted.text
    assert parted.json() == {**other, "assessments": [number]}
    assert api.get("/api/v1/patients/P-1").json() == {**one, "assessments": [later, hers]}
    again = api.post(f"/api/v1/patients/by-id/{other['id']}/split", json=REASON)
    assert again.status_code == 409


@pytest.mark.parametrize(
    ("more", "into", "words", "status"),
    [
        ({}, "Q-1", "merged with herself", 422),
        ({"due_date": "2026-07-01", "dating_method": "scan"}, "P-1", "the due dates differ", 409),
        ({}, "P-9", "was not found", 404),
    ],
)
def test_a_merge_that_cannot_be_is_one_line_and_changes_nothing(
    api: TestClient, more: dict[str, str], into: str, words: str, status: int
) -> None:
    patient(api, "P-1", due_date="2026-06-01", dating_method="scan")
    other = patient(api, "Q-1", **more)
    number = assessed(api, "Q-1", scan={"head_circumference_mm": 270.0, "performed_at": "2026-03-16T10:00:00Z"})["id"]
    refused = api.post(f"/api/v1/patients/by-id/{other['id']}/merge", json={"into": into, **REASON})
    assert refused.status_code == status
    assert words in refused.json()["detail"]
    assert api.get("/api/v1/patients/Q-1").json()["assessments"] == [number]


def test_two_different_births_are_no_merge(api: TestClient) -> None:
    for name, day in (("P-1", "01"), ("Q-1", "02")):
        patient(api, name)
        body = {"umbilical_artery_ph": 7.2, "born_at": f"2026-03-{day}T10:00:00Z"}
        assert api.post(f"/api/v1/patients/{name}/outcomes", json=body).status_code == 201
    number = api.get("/api/v1/patients/Q-1").json()["id"]
    refused = api.post(f"/api/v1/patients/by-id/{number}/merge", json={"into": "P-1", **REASON})
    assert refused.status_code == 409
    assert "another birth in each record" in refused.json()["detail"]


# --- pseudonyms


def test_a_pseudonym_is_corrected_and_the_earlier_one_is_free(api: TestClient) -> None:
    woman = patient(api, "P-1")
    patient(api, "P-2")
    address = f"/api/v1/patients/by-id/{woman['id']}/pseudonym"
    for wrong, status in (("p-2", 409), ("a/b", 422), ("P-1", 422), ("", 422)):
        assert api.post(address, json={"pseudonym": wrong, **REASON}).status_code == status, wrong
    assert api.post(address, json={"pseudonym": "R-7", **REASON}).json()["pseudonym"] == "R-7"
    assert api.get("/api/v1/patients/P-1").status_code == 404
    assert patient(api, "P-1")["id"] != woman["id"]
    page = api.get(f"/patients/by-id/{woman['id']}", headers={"Accept": "text/html"}).text
    assert "patient.create" in page  # what happened under the earlier name is hers
    assert "patient.rename" in page


@pytest.mark.parametrize("name", ["p-77", "\uff30-77", "P-\uff17\uff17", " P-77 "])
def test_case_and_width_make_no_other_woman(api: TestClient, name: str) -> None:
    first = patient(api, "P-77")
    assert api.post("/api/v1/patients", json={"pseudonym": name}).status_code == 409
    assert assessed(api, name)["patient"] == "P-77"
    assert api.get(f"/api/v1/patients/{name.strip()}").json()["id"] == first["id"]


@pytest.mark.parametrize("name", ["A/B", "..", ".", "../x", "-1", " ", "\ufdfa" * 40, "x?y"])
def test_a_new_pseudonym_can_stand_in_an_address(api: TestClient, name: str) -> None:
    assert api.post("/api/v1/patients", json={"pseudonym": name}).status_code == 422
    refused = api.post("/api/v1/assessments", json={"patient": {"pseudonym": name}, **HEAD})
    assert refused.status_code == 422


ALIKE = [
    ("P-077", "P77"),
    ("PG-0O1", "PG-001"),
    ("MRN 2024-0031", "mrn-2024-31"),
    ("W-l7", "W-17"),
    ("W-I7", "W-l7"),
    ("P-7-07", "P-707"),
]
APART = [("P-100", "P-1"), ("P-17", "P-71"), ("P-1", "Q-1"), ("P-10", "P-1")]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_near_duplicates_are_named(api: TestClient, one: str, other: str) -> None:
    patient(api, one)
    assert patient(api, other)["similar"] == [one]
    answer = api.post("/api/v1/assessments", json={"patient": {"pseudonym": other}, **HEAD})
    assert answer.json()["similar"] == [one]


@pytest.mark.parametrize(("one", "other"), APART)
def test_what_is_clearly_another_name_is_not(one: str, other: str) -> None:
    assert unique_key(one) != unique_key(other)
    assert not any(a == b for a, b in zip(likenesses(one), likenesses(other), strict=True))


def test_an_integration_may_say_that_she_must_exist(api: TestClient) -> None:
    patient(api, "P-077")
    body = {"patient": {"pseudonym": "P-77"}, "must_exist": True, **HEAD}
    refused = api.post("/api/v1/assessments", json=body)
    assert refused.status_code == 409
    assert refused.json()["detail"] == "no patient 'P-77' is registered; similar: P-077"
    assert api.post("/api/v1/assessments", json={**body, "patient": {"pseudonym": "p-077"}}).status_code == 201


def test_the_page_asks_before_it_makes_a_near_duplicate(client: TestClient, api: TestClient) -> None:
    patient(api, "P-077")
    csrf = browser(client, "clinician")
    form = {"csrf_token": csrf, "patient": "P-77", "head_circumference_mm": "270", "must_be_clear": "true"}
    fields = {name: (None, value) for name, value in form.items()}
    asked = client.post("/assessments/new", files=fields)
    assert asked.status_code == 422
    assert "Is she one of these?" in asked.text
    assert "She is none of: P-077" in asked.text
    fields["must_be_clear"] = (None, "false")
    assert client.post("/assessments/new", files=fields, follow_redirects=False).status_code == 303


def unreachable(session: Session) -> None:
    from app.orm import now
    from app.patients.store import Fetus, Pregnancy

    for name in ("A/B", "..", "P-77", "p-77"):
        pregnancy = Pregnancy(created_at=now(), fetuses=[Fetus(label="A")])
        key = "p-77" if name == "P-77" else null()
        session.add(Woman(pseudonym=name, unique_key=key, created_at=now(), pregnancies=[pregnancy]))
        session.flush()


def test_names_of_earlier_releases_are_reached_listed_and_merged(client: TestClient, api: TestClient) -> None:
    with unit_of_work(api.app.state.sessions) as session:  # type: ignore[attr-defined]
        unreachable(session)
    rows = api.get("/api/v1/patients/to-merge").json()
    assert [row["pseudonym"] for row in rows] == ["A/B", "..", "p-77"]
    assert rows[2]["similar"] == ["P-77"]
    number = rows[0]["id"]
    assert api.get(f"/api/v1/patients/by-id/{number}").json()["pseudonym"] == "A/B"
    assert assessed(api, "A/B")["patient"] == "A/B"
    merged = api.post(f"/api/v1/patients/by-id/{rows[2]['id']}/merge", json={"into": "P-77", **REASON})
    assert merged.json()["pseudonym"] == "P-77"
    browser(client, "clinician")
    page = client.get("/patients/to-merge").text
    assert "A/B" in page
    assert "p-77" not in page


def test_the_walk_in_the_browser(client: TestClient, api: TestClient) -> None:
    patient(api, "P-2")
    number, other = assessed(api, "P-1")["id"], assessed(api, "P-9")["id"]
    csrf = {"csrf_token": browser(client, "clinician")}
    moved = client.post(
        f"/assessments/{number}/move", data={**csrf, "patient": "P-2", "fetus": "A", **REASON}, follow_redirects=True
    )
    assert moved.status_code == 200
    assert "P-2" in moved.text
    page = client.post(f"/assessments/{other}/entered-in-error", data={**csrf, **REASON}, follow_redirects=True)
    assert "Entered in error" in page.text
    one, two = (api.get(f"/api/v1/patients/{name}").json()["id"] for name in ("P-9", "P-2"))
    page = client.post(f"/patients/by-id/{one}/merge", data={**csrf, "into": "P-2", **REASON}, follow_redirects=True)
    assert "merged into this one" in page.text
    assert page.url.path == f"/patients/by-id/{two}"
    page = client.post(f"/patients/by-id/{one}/split", data={**csrf, **REASON}, follow_redirects=True)
    assert page.url.path == f"/patients/by-id/{one}"
    page = client.post(
        f"/patients/by-id/{one}/pseudonym", data={**csrf, "pseudonym": "P-99", **REASON}, follow_redirects=True
    )
    assert "P-99" in page.text
