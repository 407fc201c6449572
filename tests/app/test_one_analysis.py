"""One analysis of a trace and one segmentation of an image, from choosing the files to the last correction."""

import copy
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event

import app.assessments.traces as traces
import models.fusion.distress as distress
from app.assessments import scans
from app.assessments.store import Assessment
from app.main import create_app
from app.recent import Recent
from app.settings import Settings
from app.transactions import unit_of_work
from models.synthetic.beats import beats
from models.synthetic.traces import as_csv
from models.ultrasound.segmentation import Segmenter
from tests.app.conftest import browser
from tests.examples import HEAD_PNG

LABOUR = as_csv(beats(minutes=90, baseline_bpm=150, accelerations=0, decelerations=True, seed=4).recording)
PAGE = {"Accept": "text/html"}
# What results of earlier versions do not hold.
ADDED = (traces.BASELINE, traces.REUSE)
# Lead times of 10, 20, 30 and 60 min: analyses of a trace that ends earlier, which is another recording.
LEADS = 4
DRAWN = {"image": 0, "centre_x": 400, "centre_y": 270, "semi_major": 235, "semi_minor": 185, "angle": 0.1}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Counts of analyses (of the whole trace, and of shortened ones) and segmentations, with nothing remembered."""
    counted: Counter[str] = Counter()
    analyse, head = traces.analyse, Segmenter.head

    def whole(recording: Any) -> Any:
        counted["analysis"] += 1
        return analyse(recording)

    def shortened(recording: Any) -> Any:
        counted["lead"] += 1
        return analyse(recording)

    def segment(self: Segmenter, pixels: Any) -> Any:
        counted["segmentation"] += 1
        return head(self, pixels)

    monkeypatch.setattr(traces, "analyse", whole)
    monkeypatch.setattr(distress, "analyse", shortened)
    monkeypatch.setattr(Segmenter, "head", segment)
    restart()
    yield counted
    restart()


def restart() -> None:
    """Forget what a new process would not know."""
    traces.forget()
    scans.forget()


def assessed(client: TestClient, data: dict[str, str], *, ctg: bool = True, image: bool = True) -> Any:
    files = ([("ctg", ("t.csv", LABOUR))] if ctg else []) + ([("image", ("h.png", HEAD_PNG))] if image else [])
    answer = client.post("/api/v1/assessments", data={"patient": "P-1", **data}, files=files or {"image": ("", b"")})
    assert answer.status_code == 201, answer.text
    return answer.json()


WHOLE = {"ctg_stage": "labour", "scan_gestational_age": "36+0", "pixel_size_mm": "0.18"}


@pytest.mark.slow
def test_the_whole_journey_costs_one_analysis_and_one_segmentation(
    settings: Settings, client: TestClient, calls: Counter[str]
) -> None:
    csrf = {"csrf_token": browser(client, "clinician")}
    headers = {"x-csrf-token": csrf["csrf_token"]}
    client.post("/check/ctg", files={"ctg": ("t.csv", LABOUR)}, headers=headers)
    client.post("/check/image", files={"image": ("h.png", HEAD_PNG)}, headers=headers)
    assert calls == {"analysis": 1, "segmentation": 1}
    files = [("ctg", ("t.csv", LABOUR)), ("image", ("h.png", HEAD_PNG))]
    where = client.post("/assessments/new", data={**csrf, "patient": "P-1", **WHOLE}, files=files).headers["location"]
    once = {"analysis": 1, "segmentation": 1, "lead": LEADS}
    assert calls == once
    first = client.get(where).text
    trace = client.get(f"{where}/trace").json()
    assert client.get(where).text == first
    assert calls == once
    restart()
    with TestClient(create_app(settings), follow_redirects=False) as later:
        csrf = {"csrf_token": browser(later, "clinician")}
        for _ in range(2):
            assert later.get(where).status_code == 200
        assert later.get(f"{where}/trace").json() == trace
        typed = later.post(
            f"{where}/head-circumference", data={**csrf, "head_circumference_mm": "330", "reason": "by hand"}
        )
        drawn = later.post(f"{typed.headers['location']}/outline", data={**csrf, **DRAWN, "reason": "occiput"})
        scale = {**csrf, "pixel_size_mm": "0.17", "reason": "ruler"}
        scaled = later.post(f"{drawn.headers['location']}/scale", data=scale)
        for answer in (typed, drawn, scaled):
            assert answer.status_code == 303, answer.text
            assert later.get(answer.headers["location"]).status_code == 200
            assert later.get(f"{answer.headers['location']}/trace").json() == trace
        assert calls == once


def test_a_scan_that_dates_the_pregnancy_is_segmented_once(api: TestClient, calls: Counter[str]) -> None:
    assessed(api, {"pixel_size_mm": "0.18", "dates_pregnancy": "true"}, ctg=False)
    assert calls == {"segmentation": 1}


@pytest.mark.parametrize("stage", ["labour", "antepartum", "unknown"])
def test_a_correction_is_what_a_fresh_run_gives(api: TestClient, calls: Counter[str], stage: str) -> None:
    first = assessed(api, {**WHOLE, "ctg_stage": stage})
    restart()
    calls.clear()
    corrected = api.post(f"/api/v1/assessments/{first['id']}/outline", json={**DRAWN, "reason": "occiput"}).json()
    assert not calls
    assert corrected["result"]["distress"] == first["result"]["distress"]
    again = api.post(f"/api/v1/assessments/{corrected['id']}/repeat").json()
    assert again == {"same": True, "differences": []}
    assert calls["analysis"] == 1
    assert calls["segmentation"] == 1


@pytest.mark.slow
def test_a_repeat_computes_afresh(api: TestClient, calls: Counter[str]) -> None:
    first = assessed(api, WHOLE)
    calls.clear()
    for _ in range(2):
        assert api.post(f"/api/v1/assessments/{first['id']}/repeat").json()["same"]
    assert calls == {"analysis": 2, "segmentation": 2, "lead": 2 * LEADS}


@pytest.mark.slow
def test_another_prior_or_bundle_judges_the_ctg_again(
    settings: Settings, client: TestClient, tokens: dict[str, str], calls: Counter[str]
) -> None:
    client.headers["Authorization"] = f"Bearer {tokens['clinician']}"
    first = assessed(client, WHOLE)
    restart()
    calls.clear()
    client.app.state.workers.place.settings = settings.model_copy(update={"prior": "0.05"})  # type: ignore[attr-defined]
    body = {**DRAWN, "reason": "occiput"}
    corrected = client.post(f"/api/v1/assessments/{first['id']}/outline", json=body).json()
    assert corrected["result"]["distress"]["probability"] < first["result"]["distress"]["probability"]
    assert calls == {"analysis": 1, "lead": LEADS}
    with unit_of_work(client.app.state.sessions) as session:  # type: ignore[attr-defined]
        session.get_one(Assessment, corrected["id"]).code_version = "0.0.1"
    restart()
    calls.clear()
    client.post(f"/api/v1/assessments/{corrected['id']}/outline", json=body)
    assert calls == {"analysis": 1, "segmentation": 1, "lead": LEADS}


@pytest.mark.slow
def test_a_result_of_an_earlier_version_still_opens(api: TestClient, calls: Counter[str]) -> None:
    first = assessed(api, WHOLE)
    new_page = api.get(f"/assessments/{first['id']}", headers=PAGE).text
    new_trace = api.get(f"/assessments/{first['id']}/trace").json()
    with unit_of_work(api.app.state.sessions) as session:  # type: ignore[attr-defined]
        row = session.get_one(Assessment, first["id"])
        detail = {name: value for name, value in row.result["distress"]["detail"].items() if name not in ADDED}
        row.result = {**row.result, "distress": {**row.result["distress"], "detail": detail}}
    restart()
    calls.clear()
    assert api.get(f"/assessments/{first['id']}/trace").json() == new_trace
    old_page = api.get(f"/assessments/{first['id']}", headers=PAGE).text
    assert calls == {"analysis": 1}
    assert old_page.count("<svg") == new_page.count("<svg")
    assert api.post(f"/api/v1/assessments/{first['id']}/repeat").json() == {"same": True, "differences": []}
    body = {**DRAWN, "reason": "occiput"}
    corrected = api.post(f"/api/v1/assessments/{first['id']}/outline", json=body)
    assert corrected.status_code == 201
    assert corrected.json()["result"]["distress"]["probability"] == first["result"]["distress"]["probability"]


def test_a_result_from_before_states_had_reasons_still_opens(api: TestClient) -> None:
    first = assessed(api, WHOLE)
    with unit_of_work(api.app.state.sessions) as session:  # type: ignore[attr-defined]
        row = session.get_one(Assessment, first["id"])
        result = copy.deepcopy(row.result)
        for name in ("state_reasons", "settles"):
            del result[name]
        detail = result["distress"]["detail"]
        for name in ("doubts", "baseline_at_start_bpm", "contractions_known"):
            del detail[name]
        for answer in detail["guidelines"]:
            del answer["history"], answer["before"]
        del detail[traces.REUSE]["trace"], result["circumstances"]["nice"]
        for reason in result["reasons"]:
            del reason["remark"]
        row.result, row.code_version = result, "0.0.9"
    restart()
    for path in ("/", f"/assessments/{first['id']}", f"/patients/{first['patient']}"):
        assert api.get(path, headers=PAGE).status_code == 200, path
    corrected = api.post(f"/api/v1/assessments/{first['id']}/outline", json={**DRAWN, "reason": "occiput"})
    assert corrected.status_code == 201
    assert corrected.json()["result"]["state"] == first["result"]["state"]
    assert corrected.json()["result"]["state_reasons"]


def test_two_heart_rates_checked_without_a_choice_are_still_refused(client: TestClient, calls: Counter[str]) -> None:
    rows = b"".join(b"%d,%d,10\n" % (140 + k % 7, 150 + k % 5) for k in range(5000))
    twins = {"ctg": ("twins.csv", b"# fs: 4\nFHR,FHR2,UC\n" + rows)}
    headers = {"x-csrf-token": browser(client, "clinician")}
    assert "two fetal heart rates" in client.post("/check/ctg", files=twins, headers=headers).text
    answer = client.post("/api/v1/assessments", data={"patient": "P-1"}, files=twins, headers=headers)
    assert answer.status_code == 422
    assert "two fetal heart rates" in answer.text


@pytest.mark.slow
def test_the_audit_row_is_written_wherever_an_assessment_is_made(settings: Settings) -> None:
    from app.audit.store import AuditRow
    from app.database import make_engine, session_factory
    from app.installation import prepare

    prepare(settings, demonstration=True)
    with unit_of_work(session_factory(make_engine(settings.database))) as session:
        rows = session.query(AuditRow).filter_by(action="assessment.create").all()
        assert {row.user_name for row in rows} == {"demonstration"}
        assert len(rows) == session.query(Assessment).count() == 7


@pytest.mark.parametrize("path", ["/assessments/{id}", "/patients/P-1", "/"])
def test_twelve_visits_need_no_more_queries_than_two(api: TestClient, path: str) -> None:
    api.app.state.sealer.stop()  # type: ignore[attr-defined]  # its queries are not the page's
    statements: list[str] = []
    event.listen(
        api.app.state.engine,  # type: ignore[attr-defined]
        "before_cursor_execute",
        lambda *call: statements.append(call[2]),
    )

    def visit(month: int, day: int) -> int:
        data = {"due_date": "2026-06-01", "dating_method": "crown-rump length", "abdominal_circumference_mm": "225"}
        when = {"scan_performed_at": f"2026-{month:02d}-{day:02d}T10:00"}
        return int(assessed(api, {**data, **when}, ctg=False, image=False)["id"])

    def queries(identifier: int) -> int:
        statements.clear()
        assert api.get(path.format(id=identifier), headers=PAGE).status_code == 200
        return len(statements)

    visit(2, 9)
    few = queries(visit(2, 10))
    last = [visit(3, day) for day in range(1, 11)][-1]
    assert queries(last) <= few


def test_what_is_remembered_is_bounded() -> None:
    recent: Recent[bytes] = Recent(max_count=3, max_bytes=10, size_of=len)
    computed = []

    def value(key: str, size: int) -> bytes:
        return recent.get(key, lambda: computed.append(key) or bytes(size))

    for key in ("a", "b", "a", "c", "d"):
        value(key, 2)
    assert computed == ["a", "b", "c", "d"]
    value("b", 2)
    assert computed[-1] == "b"  # it was the least recently used of four
    value("large", 9)
    assert len(recent) == 1
    value("too large", 11)
    value("too large", 11)
    assert computed.count("too large") == 2
    recent.clear()
    assert len(recent) == 0


def test_the_baseline_is_stored_as_it_was_drawn_before(api: TestClient) -> None:
    first = assessed(api, WHOLE)
    stored = first["result"]["distress"]["detail"][traces.BASELINE]
    arrays = api.get(f"/assessments/{first['id']}/trace").json()
    assert arrays["baseline"] == stored
    assert len(stored) == 90 * 60 // 15
    assert np.isfinite(stored).all()
