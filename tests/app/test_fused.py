"""The fused score in the product: one result by every door, made again to the last digit, and what refuses it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.assessments.repeat import differences
from app.assessments.store import Assessment
from app.settings import Settings
from app.transactions import unit_of_work
from models.errors import FetalHealthError
from models.synthetic.traces import as_csv, trace
from tests.app.conftest import browser
from tests.examples import HEALTHY

SAME = {"identity_reason": "one recording for two women, to compare"}
LABOUR = as_csv(trace(minutes=70, accelerations=0, late_decelerations=True, seed=1).recording)
SCAN = {"abdominal_circumference_mm": 301.0, "cerebroplacental_ratio_below_5th": True}


def fields(patient: str) -> dict[str, str]:
    due = (datetime.now(UTC) + timedelta(days=7)).date().isoformat()
    made = {"patient": patient, "due_date": due, "dating_method": "crown-rump length", "ctg_stage": "labour"}
    return made | {name: str(value).lower() for name, value in SCAN.items()}


def test_browser_rest_and_command_line_give_the_same_to_the_last_digit(
    client: TestClient, tokens: dict[str, str], cli: Any, tmp_path: Path
) -> None:
    token = browser(client, "clinician")
    files = [("ctg", ("t.csv", LABOUR))]
    page = client.post("/assessments/new", data=fields("P-1") | {"csrf_token": token}, files=files)
    assert page.status_code == 303
    bearer = {"Authorization": f"Bearer {tokens['clinician']}"}
    by_browser = client.get("/api/v1" + page.headers["location"], headers=bearer).json()["result"]
    other = fields("P-2") | SAME
    by_rest = client.post("/api/v1/assessments", data=other, files=files, headers=bearer).json()["result"]
    due = fields("")["due_date"]
    body = {
        "patient": {"pseudonym": "P-3", "due_date": due, "dating_method": "crown-rump length"},
        "ctg": {"stage": "labour"},
        "scan": SCAN,
    }
    request, recording = tmp_path / "request.json", tmp_path / "t.csv"
    request.write_text(json.dumps(body))
    recording.write_bytes(LABOUR)
    answer = cli("assess", "--request", str(request), "--ctg", str(recording))
    assert answer.exit_code == 0, answer.output
    by_command = json.loads(answer.output)
    kinds = [examination["kind"] for examination in by_command.pop("examinations")]
    assert kinds == ["ctg", "scan"]
    assert differences(by_rest, by_browser) == []
    assert differences(by_command, by_rest) == []
    assert by_rest["score"] is not None
    assert by_rest["severe"] <= by_rest["score"]
    assert by_rest["certainty"] is not None


def test_a_stored_assessment_is_made_again_to_the_last_digit(api: TestClient, cli: Any) -> None:
    made = api.post("/api/v1/assessments", data=fields("P-1"), files=[("ctg", ("t.csv", LABOUR))]).json()
    assert api.post(f"/api/v1/assessments/{made['id']}/repeat").json() == {"same": True, "differences": []}
    assert "the same to the last digit" in cli("repeat", str(made["id"])).output
    with unit_of_work(api.app.state.sessions) as session:  # type: ignore[attr-defined]
        row = session.get_one(Assessment, made["id"])
        row.result = {**row.result, "score": row.result["score"] + 1e-9}
    again = api.post(f"/api/v1/assessments/{made['id']}/repeat").json()
    assert not again["same"]
    assert again["differences"][0].startswith("score: stored")
    assert cli("repeat", str(made["id"])).exit_code == 1
    with unit_of_work(api.app.state.sessions) as session:  # type: ignore[attr-defined]
        session.get_one(Assessment, made["id"]).result = {"score": 1.0}
    assert "earlier version" in api.post(f"/api/v1/assessments/{made['id']}/repeat").text
    assert isinstance(cli("repeat", "999").exception, FetalHealthError)


def test_a_units_prior_is_kept_with_the_assessment(
    settings: Settings, client: TestClient, tokens: dict[str, str]
) -> None:
    bearer = {"Authorization": f"Bearer {tokens['clinician']}"}
    files = [("ctg", ("t.csv", LABOUR))]
    ordinary = client.post("/api/v1/assessments", data=fields("P-1"), files=files, headers=bearer).json()
    client.app.state.workers.place.settings = settings.model_copy(update={"prior": "0.05", "hospital": "ward-7"})  # type: ignore[attr-defined]
    made = client.post("/api/v1/assessments", data=fields("P-2") | SAME, files=files, headers=bearer).json()
    assert made["result"]["score"] < ordinary["result"]["score"]
    assert made["result"]["state"] == ordinary["result"]["state"]
    assert made["result"]["circumstances"]["site"] == "ward-7"
    assert "at a prevalence of 5 % (in this unit" in made["result"]["meaning"]
    client.app.state.workers.place.settings = settings  # type: ignore[attr-defined]
    assert client.post(f"/api/v1/assessments/{made['id']}/repeat", headers=bearer).json()["same"]


def test_the_earlier_name_of_the_hospital_setting_is_still_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FETAL_HEALTH_SITE", "ward-7")
    assert Settings().hospital == "ward-7"
    monkeypatch.setenv("FETAL_HEALTH_HOSPITAL", "north")
    assert Settings().hospital == "north"


def test_a_prior_that_is_none_is_refused_at_the_start(home: Path) -> None:
    with pytest.raises(FetalHealthError, match="prior 'seldom'"):
        Settings(home=home, prior="seldom")


def test_the_page_shows_what_adds_up_and_what_would_change_it(api: TestClient) -> None:
    made = api.post("/api/v1/assessments", data=fields("P-1"), files=[("ctg", ("t.csv", LABOUR))]).json()
    page = api.get(f"/assessments/{made['id']}", headers={"Accept": "text/html"}).text
    for words in (
        "What would change the score", "starting point", "together", "Without the scan",
        "If the weight were on the 50th",
        "placental resistance by Doppler: raised", "at 90 %", "at a prevalence of 20 %", "Outcome</summary>",
    ):  # fmt: skip
        assert words in page


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_a_second_fetus_makes_both_twins(api: TestClient, probability: float) -> None:
    body = {"patient": {"pseudonym": "P-1"}, "ctg": {"features": HEALTHY}}
    first = api.post("/api/v1/assessments", json=body).json()
    second = api.post("/api/v1/assessments", json=body | {"fetus": "B"}).json()
    assert first["result"]["circumstances"]["fetuses"] == 1
    assert second["result"]["circumstances"]["fetuses"] == 2
    assert any("several fetuses" in line for line in second["result"]["warnings"])
