"""The federation page: hospitals, runs between them, schedules."""

import importlib.util
import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.database import make_engine, session_factory
from app.retraining import hospitals, schedule, service
from app.retraining.store import Schedule, schedules
from app.settings import Settings
from app.transactions import unit_of_work
from federated.coordinator import kit
from federated.coordinator.folder import FederationFolder
from federated.plan import load, shipped_plans
from federated.run import control
from federated.run.folder import RunFolder
from federated.run.lock import take
from federated.run.status import read_status
from federated.trust import kit as kits
from models.errors import FetalHealthError, InputError
from tests.app.conftest import application, browser
from tests.conftest import need

pytestmark = pytest.mark.network  # the page asks whether the server listens


@pytest.fixture
def folder(tmp_path: Path) -> FederationFolder:
    """A federation of two hospitals that have joined and one that was invited."""
    from dataclasses import replace

    made = FederationFolder.create(tmp_path / "federation", "north", "127.0.0.1", 1, 2)
    for name in ("anne", "luke", "mary"):
        kit.create(made, name, tmp_path / "kits")
        if name != "mary":
            made.save_hospital(
                replace(made.hospital(name), state="joined", node_key="x", node=1, joined="2026-11-01"),
                "hospital.joined",
            )
    made.record_hello("anne", {"modality": "ctg", "rows": 248, "code": "c"})
    return made


@pytest.fixture
def client(settings: Settings, tokens: dict[str, str], folder: FederationFolder) -> Iterator[TestClient]:
    settings.federation = folder.path
    with TestClient(application(settings), follow_redirects=False) as made:
        yield made


def test_without_a_federation_the_page_says_how_to_make_one(settings: Settings, tokens: dict[str, str]) -> None:
    with TestClient(application(settings), follow_redirects=False) as client:
        form = {"csrf_token": browser(client, "operator")}
        page = client.get("/federation").text
        assert "fetal-health federate serve" in page
        assert client.post("/federation/hospitals", data={**form, "name": "anne"}).status_code == 409
        start = client.post("/federation/runs", data={**form, "plan": "ctg", "site": "anne"})
        assert start.status_code == 409
        assert "FETAL_HEALTH_FEDERATION" in start.text


def test_hospitals_are_shown_invited_and_revoked(client: TestClient, folder: FederationFolder, tmp_path: Path) -> None:
    form = {"csrf_token": browser(client, "operator")}
    page = client.get("/federation").text
    assert "248 rows, ctg" in page
    assert "the server is not running" in page
    answer = client.post("/federation/hospitals", data={**form, "name": "ruth"})
    assert answer.status_code == 200
    (tmp_path / "ruth.kit").write_bytes(answer.content)
    assert kits.read(tmp_path / "ruth.kit").hospital == "ruth"
    assert folder.hospital("ruth").state == "invited"
    assert client.post("/federation/hospitals", data={**form, "name": "../x"}).status_code == 422
    assert client.post("/federation/hospitals/anne/revoke", data=form).status_code == 303
    assert folder.hospital("anne").state == "revoked"
    assert client.post("/federation/hospitals/none/revoke", data=form).status_code in {404, 422}
    audit = client.get("/audit")
    assert audit.status_code == 403  # of operators; what they did is there for the administrator
    browser(client, "administrator")
    text = client.get("/audit").text
    assert "hospital.invite" in text
    assert "hospital.revoke" in text


def test_a_run_between_hospitals_names_them_in_its_plan(tmp_path: Path) -> None:
    path, _ = control.prepare(tmp_path, load(shipped_plans()["ctg"]), ["luke", "anne"], 2)
    plan = load(path / "plan.toml")
    assert plan.participation.sites == ("anne", "luke")
    assert plan.participation.minimum_sites == 2
    assert plan.ctg == load(shipped_plans()["ctg"]).ctg
    own = tmp_path / "own.toml"
    own.write_text(shipped_plans()["ctg"].read_text() + "\n[participation]\nminimum_sites = 2\n")
    with pytest.raises(InputError, match="has a \\[participation\\] of its own"):
        control.prepare(tmp_path, load(own), ["anne"])


def test_only_hospitals_that_have_joined_can_take_part(client: TestClient, tokens: dict[str, str]) -> None:
    operator = {"Authorization": f"Bearer {tokens['operator']}"}
    body = {"plan": "ctg", "sites": ["anne", "mary"]}
    answer = client.post("/api/v1/jobs", json=body, headers=operator)
    assert answer.status_code == 422
    assert "mary: not a hospital that has joined" in answer.json()["detail"]
    form = {"csrf_token": browser(client, "operator")}
    for floor in ("0", "x", "-1"):
        wrong = client.post("/federation/runs", data={**form, "plan": "ctg", "site": "anne", "minimum_sites": floor})
        assert wrong.status_code == 422


def test_the_page_of_a_run_says_whom_it_waits_for_and_who_left(client: TestClient, settings: Settings) -> None:
    path, _ = control.prepare(settings.home / "runs", load(shipped_plans()["synthetic"]), ["anne", "luke"])
    run = RunFolder(path)
    run.event("started", plan="synthetic", federation="north")
    run.event("waiting", approval_of="luke", bundle="abc123", code="def456")
    lock = take(path / control.LOCK)
    assert lock is not None
    browser(client, "operator")
    page = client.get(f"/federation/runs/{path.name}").text
    assert "This run trains at the hospitals of north" in page
    assert "Waiting for the approval of luke (plan and code abc123, code def456)" in page
    run.event("interrupted", why="x")
    run.event("lost", site="luke", why="no answer within 8 s")
    page = client.get(f"/federation/runs/{path.name}").text
    assert "Its server stopped 1 time;" in page
    assert "luke left the run: no answer within 8 s." in page
    assert "Waiting for" not in page


def test_schedules_are_made_and_removed(client: TestClient) -> None:
    form = {"csrf_token": browser(client, "operator")}
    later = (datetime.now(UTC) + timedelta(days=2)).strftime("%Y-%m-%dT03:00")
    good = {**form, "plan": "ctg", "every_days": "30", "first_at": later, "site": ["anne", "luke"]}
    assert client.post("/federation/schedules", data=good).status_code == 303
    page = client.get("/federation").text
    assert "anne, luke" in page
    assert "30 days" in page
    for wrong in ({"plan": "none"}, {"every_days": "0"}, {"first_at": "2020-01-01T00:00"}, {"site": "mary"}):
        assert client.post("/federation/schedules", data={**good, **wrong}).status_code == 422
    assert client.post("/federation/schedules/1/remove", data=form).status_code == 303
    assert client.post("/federation/schedules/1/remove", data=form).status_code == 422
    assert "No retraining is scheduled" in client.get("/federation").text


def due(settings: Settings, plan: str) -> None:
    engine = make_engine(settings.database)
    with unit_of_work(session_factory(engine)) as session:
        past = datetime.now(UTC) - timedelta(days=8)
        session.add(Schedule(plan=plan, sites=[], minimum_sites=None, every_days=7, next_at=past, by="anna"))
    engine.dispose()


def test_what_cannot_start_says_why_and_comes_again(client: TestClient, settings: Settings) -> None:
    due(settings, "ctg")
    engine = make_engine(settings.database)
    with unit_of_work(session_factory(engine)) as session:
        assert schedule.start_due(session, settings) == []
        (one,) = schedules(session)
        assert "not started: set FETAL_HEALTH_DATA" in one.last_run
        # In step: eight days late, it comes on the second of its days from now.
        assert timedelta(0) < one.next_at - datetime.now(UTC) <= timedelta(days=7)
        one.last_run = ""
    with unit_of_work(session_factory(engine)) as session:
        assert schedule.start_due(session, settings) == []
        assert schedules(session)[0].last_run == ""  # not due, not tried
    engine.dispose()


@pytest.mark.slow
def test_what_is_due_is_started_once(client: TestClient, settings: Settings) -> None:
    need(importlib.util.find_spec("flwr") is not None, "training is not installed")
    due(settings, "synthetic")
    engine = make_engine(settings.database)
    with unit_of_work(session_factory(engine)) as session:
        (name,) = schedule.start_due(session, settings)
        assert schedules(session)[0].last_run == name
    path = service.find(settings, name)
    with unit_of_work(session_factory(engine)) as session:
        assert schedule.start_due(session, settings) == []
    engine.dispose()
    deadline = time.monotonic() + 60
    while read_status(path).state == "starting" and time.monotonic() < deadline:
        time.sleep(0.2)
    assert read_status(path).state == "running"
    os.kill(int((path / "pid").read_text()), signal.SIGKILL)
    deadline = time.monotonic() + 30
    while read_status(path).state == "running" and time.monotonic() < deadline:
        time.sleep(0.2)
    assert read_status(path).state == "dead"


def test_schedules_from_the_command_line(cli) -> None:  # type: ignore[no-untyped-def]
    later = (datetime.now(UTC) + timedelta(days=2)).strftime("%Y-%m-%dT03:00")
    assert "schedule 1: ctg every 30 days" in cli("schedule", "add", "ctg", "--at", later).output
    assert "simulated sites" in cli("schedule", "list").output
    assert "removed" in cli("schedule", "remove", "1").output
    assert isinstance(cli("schedule", "remove", "1").exception, FetalHealthError)
    assert isinstance(cli("schedule", "add", "ctg", "--at", "soon").exception, InputError)


def test_the_server_is_seen_when_it_is_there(settings: Settings, folder: FederationFolder) -> None:
    settings.federation = folder.path
    found = hospitals.view(settings)
    assert found is not None
    assert not found.open
    assert [(one.name, one.state) for one, _ in found.hospitals][-1] == ("mary", "invited")


@pytest.mark.slow
def test_of_two_runs_that_start_at_once_one_starts(client: TestClient, settings: Settings) -> None:
    need(importlib.util.find_spec("flwr") is not None, "training is not installed")
    engine = make_engine(settings.database)
    started: list[str] = []
    refused: list[str] = []
    barrier = threading.Barrier(2)

    def start() -> None:
        with unit_of_work(session_factory(engine)) as session:
            barrier.wait()
            try:
                started.append(service.start(session, settings, "synthetic"))
            except FetalHealthError as error:
                refused.append(str(error))

    threads = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine.dispose()
    os.kill(int((service.find(settings, started[0]) / "pid").read_text()), signal.SIGKILL)
    assert len(started) == 1
    assert refused == ["another run is in progress; only one can run at a time"]
    (settings.home / "runs" / "20990101-000000-half").mkdir()
    browser(client, "operator")
    page = client.get("/federation")
    assert page.status_code == 200
    assert "damaged" in page.text
