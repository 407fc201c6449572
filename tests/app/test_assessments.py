"""From upload to sign-off, over the API and the pages; bad input leaves nothing behind."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.assessments.store import Assessment
from app.audit.store import AuditRow
from app.patients.store import Examination, Woman
from app.transactions import unit_of_work
from models.synthetic.traces import as_csv, as_wfdb, trace
from tests.app.conftest import browser
from tests.examples import HEAD_PNG, HEALTHY

CTG = trace(minutes=20, seed=1).recording


def counts(client: TestClient) -> tuple[int, ...]:
    with unit_of_work(client.app.state.sessions) as session:  # type: ignore[attr-defined]
        return tuple(session.query(table).count() for table in (Woman, Examination, Assessment))


def send(client: TestClient, data: dict[str, str], files: Any = None, **headers: str) -> Any:
    return client.post("/api/v1/assessments", data=data, files=files or {"image": ("", b"")}, headers=headers)


def test_features_as_json(api: TestClient) -> None:
    body = {"patient": {"pseudonym": "P-1"}, "ctg": {"features": HEALTHY}}
    answer = api.post("/api/v1/assessments", json=body)
    assert answer.status_code == 201
    made = answer.json()
    assert made["result"]["distress"]["detail"]["view"] == "table"
    assert made["notice"].startswith("Research prototype")
    assert api.get(answer.headers["location"]).json() == made
    page = api.get(f"/assessments/{made['id']}", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert "abnormal_stv_percent" in page.text


@pytest.mark.slow
def test_files_fused_and_stored(api: TestClient) -> None:
    image = HEAD_PNG
    files = [("ctg", (name, content)) for name, content in as_wfdb(CTG, "r1").items()]
    files.append(("image", ("head.png", image)))
    data = {"patient": "P-1", "head_circumference_mm": "240", "scan_gestational_age": "28+0", "pixel_size_mm": "0.18"}
    made = api.post("/api/v1/assessments", data=data, files=files).json()
    result = made["result"]
    assert result["score"] is not None
    assert not result["missing"]
    assert result["growth"]["detail"]["measures"]["head_circumference_mm"]["value"] == 240
    assert set(made["input_hashes"]) == {"ctg-1.hea", "ctg-2.dat", "scan-1.png"}
    picture = api.get(f"/assessments/{made['id']}/images/1")
    assert picture.headers["content-type"] == "image/png"
    arrays = api.get(f"/assessments/{made['id']}/trace").json()
    assert None in arrays["fhr"]
    assert len(arrays["fhr"]) == len(arrays["seconds"]) == len(arrays["toco"])
    page = api.get(f"/assessments/{made['id']}", headers={"Accept": "text/html"}).text
    for words in (
        "Research prototype",
        "Contributions to the score",
        "Head circumference by gestational age",
        "240.0 mm",
        "P-1",
        "<svg",
        made["result"]["bundle"],
    ):
        assert words in page


def test_the_same_inputs_give_the_same_answer(api: TestClient) -> None:
    files = {"ctg": ("a.csv", as_csv(CTG))}
    data = {"identity_reason": "one recording for two women, to compare"}
    one, two = (send(api, data | {"patient": f"P-{i}"}, files).json()["result"] for i in (1, 2))
    assert one == two


def test_idempotency(api: TestClient) -> None:
    files = {"ctg": ("a.csv", as_csv(CTG))}
    first = send(api, {"patient": "P-1"}, files, **{"Idempotency-Key": "k1"})
    again = send(api, {"patient": "P-1"}, files, **{"Idempotency-Key": "k1"})
    assert first.json()["id"] == again.json()["id"]
    assert counts(api) == (1, 1, 1)
    other = send(api, {"patient": "P-2"}, files, **{"Idempotency-Key": "k1"})
    assert other.status_code == 422
    assert counts(api) == (1, 1, 1)


@pytest.mark.parametrize(
    ("data", "files", "words"),
    [
        ({"patient": "P"}, {}, "nothing to assess"),
        ({"patient": "P", "colour": "red"}, {}, "unknown field 'colour'"),
        ({"patient": "P"}, {"ctg": ("a.csv", b"FHR\n140\n141\n")}, "sampling rate is not stated"),
        ({"patient": "P"}, {"ctg": ("a.hea", b"x 2 4\n")}, "damaged"),
        ({"patient": "P"}, {"ctg": ("a.png", b"x")}, "not a CTG file"),
        ({"patient": "P"}, {"image": ("a.png", b"x")}, "not a readable"),
        ({"patient": "P"}, {"image": ("a.dcm", bytes(128) + b"DICM")}, "DICOM"),
        ({"patient": "P", "head_circumference_mm": "250", "scan_gestational_age": "-3"}, {}, "outside 0\\+1"),
        ({"patient": "P", "head_circumference_mm": "250", "scan_gestational_age": "60"}, {}, "outside 0\\+1"),
        ({"patient": "P", "head_circumference_mm": "250", "scan_gestational_age": "soon"}, {}, "weeks\\+days"),
        ({"patient": "P", "head_circumference_mm": "9000"}, {}, "40 to 450"),
        ({"patient": "P", "head_circumference_mm": "wide"}, {}, "head_circumference_mm"),
        ({"patient": "P", "ctg_features": '{"baseline_bpm": 900}'}, {}, "outside 50 to 240"),
        ({"patient": "P", "ctg_features": '{"CLASS": 3}'}, {}, "unknown CTG feature"),
        ({"patient": "P", "ctg_features": "{"}, {}, "not valid JSON"),
        ({"patient": "P", "due_date": "2026-12-01", "head_circumference_mm": "250"}, {}, "dating_method"),
        ({"patient": "P", "ctg_sampling_rate_hz": "-1"}, {"ctg": ("a.csv", b"FHR\n1\n1\n")}, "sampling_rate_hz"),
        ({"patient": "P", "scan_performed_at": "soon", "head_circumference_mm": "250"}, {}, "not a date"),
        ({"patient": "<script>"}, {"ctg": ("a.csv", as_csv(CTG))}, "pseudonym"),
    ],
)
def test_bad_input_gets_a_plain_answer_and_leaves_nothing(
    api: TestClient, data: dict[str, str], files: Any, words: str
) -> None:
    answer = send(api, data, files)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(answer.json()["detail"])
    assert counts(api) == (0, 0, 0)


def test_an_upload_is_cut_while_it_streams(api: TestClient) -> None:
    def stream():  # type: ignore[no-untyped-def]
        yield b'--x\r\nContent-Disposition: form-data; name="ctg"; filename="a.csv"\r\n\r\n'
        for _ in range(64):
            yield bytes(65536)

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = api.post("/api/v1/assessments", content=stream(), headers=headers)
    assert answer.status_code == 413
    assert answer.json()["detail"] == "The upload is larger than 2 MB."
    assert api.post("/api/v1/assessments", content=bytes(3 * 2**20), headers=headers).status_code == 413


@pytest.mark.slow
def test_zeros_and_loss_are_states_not_errors(api: TestClient) -> None:
    zeros = b"# sampling_rate_hz: 4\nFHR,UC\n" + b"0,0\n" * 14400
    result = send(api, {"patient": "P"}, {"ctg": ("z.csv", zeros)}).json()["result"]
    assert result["state"] == "cannot assess"
    assert result["distress"]["refusal"] == "the trace contains no heart rate"


def test_age_comes_from_the_due_date_at_each_examination(api: TestClient) -> None:
    data = {"patient": "P", "due_date": "2026-06-01", "dating_method": "scan", "head_circumference_mm": "250"}
    first = send(api, data | {"scan_performed_at": "2026-03-02T10:00"}).json()
    second = send(api, {**data, "scan_performed_at": "2026-03-23T10:00"}).json()
    ages = [made["result"]["growth"]["detail"]["growth"]["age_days"] for made in (first, second)]
    assert ages == [189, 210]
    locked = send(api, data | {"due_date": "2026-07-01", "scan_performed_at": "2026-03-02T10:00"})
    assert locked.status_code == 409
    assert "locked" in locked.json()["detail"]
    wrong = send(api, data | {"scan_performed_at": "2026-03-02T10:00", "scan_gestational_age": "30+0"})
    assert wrong.status_code == 422


def test_an_old_scan_stands_for_itself(api: TestClient) -> None:
    data = {"patient": "P", "head_circumference_mm": "240", "scan_gestational_age": "28+0"}
    times = {"scan_performed_at": "2026-01-01T10:00", "ctg_performed_at": "2026-03-15T10:00"}
    result = send(api, data | times, {"ctg": ("a.csv", as_csv(CTG))}).json()["result"]
    assert result["growth"]["probability"] is not None
    assert any("73 days from the CTG" in line for line in result["missing"])
    assert result["score"] == pytest.approx(100 * result["distress"]["probability"])


def make(client: TestClient, csrf: str) -> str:
    data = {"csrf_token": csrf, "patient": "P-7", "head_circumference_mm": "240", "scan_gestational_age": "28+0"}
    answer = client.post("/assessments/new", data=data, files={"ctg": ("a.csv", as_csv(CTG))})
    assert answer.status_code == 303
    return str(answer.headers["location"])


def test_a_clinicians_way_through(client: TestClient) -> None:
    csrf = browser(client, "clinician")
    where = make(client, csrf)
    form = {"csrf_token": csrf}
    assert client.post(f"{where}/sign", data=form).status_code == 409
    assert client.post(f"{where}/review", data=form | {"verdict": "disagree"}).status_code == 422
    assert client.post(f"{where}/review", data=form | {"verdict": "perhaps"}).status_code == 422
    disagree = form | {"verdict": "disagree", "reason": "trace misread", "text": "artefact at 12 min"}
    assert client.post(f"{where}/review", data=disagree).status_code == 303
    assert client.post(f"{where}/notes", data=form | {"text": "called the consultant"}).status_code == 303
    assert client.post(f"{where}/notes", data=form | {"text": " "}).status_code == 422
    corrected = client.post(
        f"{where}/head-circumference", data=form | {"head_circumference_mm": "262,5", "reason": "outline short"}
    )
    there = corrected.headers["location"]
    assert there != where
    page = client.get(there).text
    assert "262.5 mm" in page
    assert "outline short" in page
    assert "Replaced by" in client.get(where).text
    assert client.post(f"{where}/review", data=form | {"verdict": "agree"}).status_code == 409
    assert client.post(f"{there}/review", data=form | {"verdict": "agree"}).status_code == 303
    assert client.post(f"{there}/sign", data=form).status_code == 303
    for action, extra in (
        ("review", {"verdict": "agree"}),
        ("sign", {}),
        ("head-circumference", {"head_circumference_mm": "250", "reason": "x"}),
    ):
        assert client.post(f"{there}/{action}", data=form | extra).status_code == 409
    assert client.post(f"{there}/notes", data=form | {"text": "after signing"}).status_code == 303
    assert "Signed by clinician-1" in client.get(there).text
    worklist = client.get("/").text
    assert "signed" in worklist
    assert f'href="{where}"' not in worklist


def test_a_refused_form_keeps_what_was_typed(client: TestClient) -> None:
    csrf = browser(client, "clinician")
    data = {"csrf_token": csrf, "patient": "P-8", "parity": "2"}
    answer = client.post("/assessments/new", data=data, files={"ctg": ("a.csv", b"FHR\n1\n2\n")})
    assert answer.status_code == 422
    assert "sampling rate is not stated" in answer.text
    assert 'value="P-8"' in answer.text


def test_files_are_looked_at_before_they_are_sent(client: TestClient) -> None:
    csrf = {"X-CSRF-Token": browser(client, "clinician")}
    good = client.post("/check/ctg", files={"ctg": ("a.csv", as_csv(CTG))}, headers=csrf).text
    assert "20 min at 4 Hz" in good
    assert "<svg" in good
    assert "not a CTG file" in client.post("/check/ctg", files={"ctg": ("a.pdf", b"x")}, headers=csrf).text
    image = HEAD_PNG
    assert "800 x 540" in client.post("/check/image", files={"image": ("a.png", image)}, headers=csrf).text
    assert counts(client) == (0, 0, 0)


def test_worklist_order_and_filters(client: TestClient, tokens: dict[str, str]) -> None:
    client.headers["Authorization"] = f"Bearer {tokens['clinician']}"
    send(client, {"patient": "calm", "ctg_features": str(HEALTHY).replace("'", '"')})
    send(client, {"patient": "lost"}, {"ctg": ("z.csv", b"# fs: 4\nFHR\n" + b"0\n" * 4000)})
    rows = client.get("/api/v1/assessments").json()["items"]
    assert [(row["patient"], row["state"]) for row in rows] == [
        ("calm", "undecided"),
        ("lost", "cannot assess"),
    ]
    assert [row["patient"] for row in client.get("/api/v1/assessments?state=undecided").json()["items"]] == ["calm"]
    assert client.get("/api/v1/assessments?search=LOS").json()["items"][0]["patient"] == "lost"
    partial = client.get("/", headers={"HX-Request": "true"}).text
    assert partial.lstrip().startswith("<table")


def test_audit_names_the_woman_and_folds_refreshes(client: TestClient) -> None:
    csrf = browser(client, "clinician")
    where = make(client, csrf)
    for _ in range(3):
        client.get(where)
    client.get("/")
    client.get("/")
    client.get("/patients/P-7")
    with unit_of_work(client.app.state.sessions) as session:  # type: ignore[attr-defined]
        rows = session.query(AuditRow).order_by(AuditRow.id).all()
        reads = [row for row in rows if row.action == "assessment.read"]
        lists = [row for row in rows if row.action == "worklist.read"]
        assert [(row.subject, row.user_name) for row in reads] == [("P-7", "clinician-1")]
        assert len(lists) == 1
        assert lists[0].detail["shown"] == [int(where.rsplit("/", 1)[1])]
        assert any(row.action == "assessment.create" and row.subject == "P-7" for row in rows)
    assert "assessment.create" in client.get("/patients/P-7").text


def test_a_refused_request_writes_no_audit_of_a_creation(api: TestClient) -> None:
    send(api, {"patient": "P"}, {"ctg": ("a.csv", b"FHR\n1\n2\n")})
    with unit_of_work(api.app.state.sessions) as session:  # type: ignore[attr-defined]
        assert session.query(AuditRow).filter_by(action="assessment.create").count() == 0


def test_patients_api(api: TestClient) -> None:
    body = {"pseudonym": "P-1", "due_date": "2027-01-10", "dating_method": "crown-rump length", "parity": 1}
    key = {"Idempotency-Key": "a"}
    assert api.post("/api/v1/patients", json=body, headers=key).status_code == 201
    assert api.post("/api/v1/patients", json=body, headers=key).status_code == 201
    assert api.post("/api/v1/patients", json=body).status_code == 409
    assert api.get("/api/v1/patients/P-1").json()["parity"] == 1
    assert [row["pseudonym"] for row in api.get("/api/v1/patients?search=p-").json()["items"]] == ["P-1"]
    assert api.get("/api/v1/patients/none").status_code == 404
    for bad in ({"pseudonym": ""}, {"pseudonym": "P", "parity": -1}, {"pseudonym": "P", "name": "Jane"}):
        answer = api.post("/api/v1/patients", json=bad)
        assert answer.status_code == 422
        assert answer.json()["status"] == 422


def test_pages_without_scripts(client: TestClient, home: Path) -> None:
    browser(client, "administrator")
    for path in ("/", "/patients", "/assessments/new", "/federation", "/audit", "/users", "/account", "/docs"):
        page = client.get(path)
        assert page.status_code == 200, path
        assert "Research prototype. Not a medical device." in page.text
    assert client.get("/nothing").status_code == 404
    assert "Not Found" in client.get("/assessments/999").text
