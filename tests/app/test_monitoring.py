"""Outcomes, drift, notices and the evidence page."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.assessments.rows import parts_of
from app.assessments.store import Assessment
from app.monitoring import alarms, service
from app.monitoring.drift import LEAST
from app.monitoring.store import Notice, Outcome
from app.orm import now
from app.patients.store import Examination, Fetus, Pregnancy, Woman
from app.transactions import unit_of_work
from models.bundle import Bundle
from models.ctg.acidaemia import MILD
from models.drift import BINS, INNER
from tests.app.conftest import browser
from tests.examples import HEALTHY


def births(
    client: TestClient, bundle: Bundle, n: int, *, shift: float = 0.0, risk: float = 0.2, low: float = 0.2
) -> None:
    """Stored assessments with features as in training (moved by `shift` of the range) and outcomes."""
    rng = np.random.default_rng(0)
    assert bundle.acidaemia is not None
    reference = bundle.acidaemia.reference
    assert reference is not None
    shares = reference.counts / reference.counts.sum(axis=1, keepdims=True)
    with unit_of_work(client.app.state.sessions) as session:  # type: ignore[attr-defined]
        for k in range(n):
            fetus = Fetus(label="A")
            pregnancy = Pregnancy(created_at=now(), fetuses=[fetus])
            session.add(Woman(pseudonym=f"M-{k}", synthetic=False, created_at=now(), pregnancies=[pregnancy]))
            ctg = Examination(fetus=fetus, kind="ctg", performed_at=now(), age_source="", parameters={})
            session.add(ctg)
            session.flush()
            features = {}
            for column, name in enumerate(reference.names):
                step = (reference.high[column] - reference.low[column]) / INNER
                cell = rng.choice(BINS, p=shares[column])  # below, ten inner ones, above, missing
                if cell < BINS - 1:
                    features[name] = float(reference.low[column] + step * (cell - 1 + rng.random() + shift * INNER))
            detail = {"model": "acidaemia", "features": features}
            result = {
                "distress": {"probability": risk, "refusal": None, "event": MILD.event, "detail": detail},
                "growth": {"refusal": "none was given", "detail": {}},
                "circumstances": {"prior": {"source": "training", "value": None}},
            }
            common: dict[str, Any] = {"bundle": bundle.identifier, "code_version": "1", "input_hashes": {}}
            session.add(
                Assessment(
                    fetus=fetus, ctg_id=ctg.id, site="this-unit", **parts_of("low", 100 * risk, result, None),
                    created_at=now(), created_by="x", **common,
                )
            )  # fmt: skip
            ph = 7.1 if rng.random() < low else 7.25
            session.add(Outcome(fetus_id=fetus.id, ph=ph, born_at=now(), at=now(), by="x"))


def reported(client: TestClient, tokens: dict[str, str]) -> Any:
    return client.get("/api/v1/monitoring", headers={"Authorization": f"Bearer {tokens['operator']}"}).json()


@pytest.mark.slow
def test_what_is_like_the_training_data_raises_nothing(
    client: TestClient, tokens: dict[str, str], bundle: Bundle
) -> None:
    births(client, bundle, 120)
    found = reported(client, tokens)
    assert found["report"]["assessments"] == 120
    assert [line for line in found["report"]["drift"] if line["alarm"] and line["kind"] != "answers"] == []
    assert not any("measurements" in notice["what"] for notice in found["notices"])
    assert found["report"]["outcomes"]["births"] == 120
    assert not any(notice["what"] == "calibration" for notice in found["notices"])


@pytest.mark.slow
def test_what_moved_raises_one_notice_a_kind_until_it_is_closed(
    client: TestClient, tokens: dict[str, str], bundle: Bundle
) -> None:
    births(client, bundle, 60, shift=0.4)
    kinds = [notice["what"] for notice in reported(client, tokens)["notices"]]
    assert kinds.count("drift of measurements of the acidaemia model") == 1
    assert [n["what"] for n in reported(client, tokens)["notices"]] == kinds
    token = browser(client, "operator")
    page = client.get("/monitoring").text
    assert "differ from the training data" in page
    with unit_of_work(client.app.state.sessions) as session:  # type: ignore[attr-defined]
        first = session.query(Notice).first()
        assert first is not None
        number = first.id
    close = f"/monitoring/notices/{number}"
    assert client.post(close, data={"csrf_token": token, "reason": " "}).status_code == 422
    assert client.post(close, data={"csrf_token": token, "reason": "new monitors, looked at"}).status_code == 303
    assert client.post(close, data={"csrf_token": token, "reason": "again"}).status_code == 404
    assert number not in [notice["id"] for notice in reported(client, tokens)["notices"]]
    assert ("open notice" in client.get("/federation").text) == (len(kinds) > 1)


@pytest.mark.slow
def test_outcomes_that_break_the_promise_raise_a_notice(
    client: TestClient, tokens: dict[str, str], bundle: Bundle, cli: Any
) -> None:
    births(client, bundle, 100, risk=0.2, low=0.02)
    found = reported(client, tokens)
    notice = next(one for one in found["notices"] if one["what"] == "calibration")
    assert "fewer than the" in notice["text"]
    assert found["report"]["outcomes"]["expected"] == pytest.approx(20.0)
    page = client.get("/monitoring", headers={"Authorization": f"Bearer {tokens['operator']}", "Accept": "text/html"})
    assert "Live calibration" in page.text
    assert "the scores predicted 20.0" in page.text
    answer = cli("monitor")
    assert answer.exit_code == 4
    assert "100 with an outcome" in answer.output


def test_nothing_is_said_of_few(client: TestClient, tokens: dict[str, str], bundle: Bundle, cli: Any) -> None:
    assert reported(client, tokens) == {"places": [], "report": None, "notices": []}
    assert cli("monitor").exit_code == 0
    births(client, bundle, LEAST - 1, shift=0.4, low=1.0)
    assert reported(client, tokens)["notices"] == []
    bearer = {"Authorization": f"Bearer {tokens['operator']}"}
    assert client.get("/api/v1/monitoring?site=elsewhere", headers=bearer).status_code == 404
    assert client.get("/monitoring", headers={**bearer, "Accept": "text/html"}).status_code == 200


def test_refusals_raise_a_notice() -> None:
    rates = {
        "states": {"low": 40}, "ctg_missing": 0.0, "scan_missing": 0.0, "ctg_refused": 0.3, "scan_refused": 0.1,
        "ctg_given": 40, "scan_given": 40,
    }  # fmt: skip
    assert [alarm.what for alarm in alarms.of_rates(rates)] == ["refused CTGs"]
    assert [alarm.what for alarm in alarms.of_rates(rates | {"ctg_refused": 0.1, "ctg_missing": 0.6})] == [
        "missing CTGs"
    ]
    assert alarms.of_rates(rates | {"ctg_given": 10}) == []


def test_synthetic_women_do_not_count(client: TestClient, bundle: Bundle) -> None:
    births(client, bundle, 5)
    with unit_of_work(client.app.state.sessions) as session:  # type: ignore[attr-defined]
        session.query(Woman).update({"synthetic": True})
        found = service.report(session, "this-unit", bundle)
    assert found["assessments"] == 0
    assert found["outcomes"]["births"] == 0


def test_an_outcome_is_entered_corrected_and_guards_what_comes_after(api: TestClient, tokens: dict[str, str]) -> None:
    due = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
    body = {
        "patient": {"pseudonym": "P-1", "due_date": due, "dating_method": "crown-rump length"},
        "ctg": {"features": HEALTHY, "performed_at": (now() - timedelta(hours=5)).isoformat()},
    }
    made = api.post("/api/v1/assessments", json=body).json()
    born = now() - timedelta(hours=2)
    address = "/api/v1/patients/P-1/outcomes"
    answer = api.post(address, json={"umbilical_artery_ph": 7.12, "born_at": born.isoformat()})
    assert answer.status_code == 201
    assert answer.json()["umbilical_artery_ph"] == 7.12
    assert api.post(address, json={"umbilical_artery_ph": 7.13, "born_at": born.isoformat()}).status_code == 201
    page = api.get(f"/assessments/{made['id']}", headers={"Accept": "text/html"}).text
    assert "7.13" in page
    late = api.post("/api/v1/assessments", json={"patient": {"pseudonym": "P-1"}, "ctg": {"features": HEALTHY}})
    assert late.status_code == 422
    assert "after the birth" in late.text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"umbilical_artery_ph": 71.2}, "outside 6.5 to 7.7"),
        ({"days_from_now": 3}, "in the future"),
        ({"days_from_now": -400}, "outside this pregnancy"),
        ({"days_from_now": -1}, "lies after that birth"),
        ({"born_at": "2026-01-01T12:00:00"}, "timezone"),
        ({"fetus": "B"}, "fetus B"),
    ],
)
def test_impossible_outcomes_are_refused(api: TestClient, change: dict[str, Any], words: str) -> None:
    due = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
    patient = {"pseudonym": "P-1", "due_date": due, "dating_method": "crown-rump length"}
    api.post("/api/v1/assessments", json={"patient": patient, "ctg": {"features": HEALTHY}})
    body = {"umbilical_artery_ph": 7.2, "born_at": now().isoformat()}
    assert api.post("/api/v1/patients/P-9/outcomes", json=body).status_code == 404
    change = dict(change)
    if "days_from_now" in change:
        change["born_at"] = (now() + timedelta(days=change.pop("days_from_now"))).isoformat()
    answer = api.post("/api/v1/patients/P-1/outcomes", json=body | change)
    assert 400 <= answer.status_code < 500
    assert words in answer.text


def test_an_outcome_from_the_page(client: TestClient, tokens: dict[str, str]) -> None:
    bearer = {"Authorization": f"Bearer {tokens['clinician']}"}
    earlier = (now() - timedelta(hours=3)).isoformat()
    body = {"patient": {"pseudonym": "P-1"}, "ctg": {"features": HEALTHY, "performed_at": earlier}}
    made = client.post("/api/v1/assessments", json=body, headers=bearer).json()
    token = browser(client, "clinician")
    where, form = f"/assessments/{made['id']}/outcome", {"csrf_token": token, "umbilical_artery_ph": "7,08"}
    assert client.post(where, data=form | {"born_at": "yesterday"}).status_code == 422
    moment = (now() - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")
    assert client.post(where, data=form | {"born_at": moment}).status_code == 303
    assert "7.08" in client.get(f"/assessments/{made['id']}").text


@pytest.mark.slow
def test_the_evidence_page_and_its_numbers(api: TestClient, bundle: Bundle) -> None:
    found = api.get("/api/v1/evidence").json()
    assert found["bundle"] == bundle.identifier
    assert [one["pattern"] for one in found["patterns"]] == ["both", "ctg only", "ultrasound only"]
    both = found["patterns"][0]["figures"]
    assert both["ece"] < both["ece_limit"]
    assert both["births"] > 400
    page = api.get("/evidence", headers={"Accept": "text/html"}).text
    for words in (
        "Data</h2>",
        "Limits",
        "CTU-UHB",
        "Net benefit",
        "no decision in",
        'class="plot"',
        "Out-of-fold figures",
    ):
        assert words in page
    assert "`" not in page


@pytest.mark.slow
def test_who_may_see_what(client: TestClient, tokens: dict[str, str]) -> None:
    for role, monitoring in (("clinician", 403), ("operator", 200), ("administrator", 200)):
        bearer = {"Authorization": f"Bearer {tokens[role]}"}
        assert client.get("/api/v1/monitoring", headers=bearer).status_code == monitoring
        assert client.get("/api/v1/evidence", headers=bearer).status_code == 200
    operator = {"Authorization": f"Bearer {tokens['operator']}"}
    body = {"umbilical_artery_ph": 7.2, "born_at": now().isoformat()}
    assert client.post("/api/v1/patients/P-1/outcomes", json=body, headers=operator).status_code == 403
    client.headers.pop("Authorization", None)
    assert client.get("/api/v1/evidence").status_code == 401
