"""Registry, jobs, probes, migrations, backup, command line."""

import json
import shutil
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import inspect

from app.bundles.service import BundleRegistry
from app.database import make_engine, migrate
from app.orm import Base
from app.settings import Settings
from app.transactions import unit_of_work
from federated.plan import load, shipped_plans
from federated.run import control
from federated.run.folder import RunFolder, describe
from models.bundle import Bundle, save, shipped
from models.errors import BundleError, FetalHealthError
from models.synthetic.traces import as_csv, trace
from tests.app.conftest import browser
from tests.examples import HEALTHY


def other_bundle(folder: Path, name: str = "other", **changes: object) -> Bundle:
    """The shipped models under another manifest."""
    source = Bundle(shipped())
    contents = {name_: (shipped() / name_).read_bytes() for name_ in source.manifest["files"]}
    manifest = {k: v for k, v in source.manifest.items() if k not in {"format", "files"}}
    return save(folder, contents, manifest | {"name": name} | changes)


def test_promotion_is_taken_up_without_a_restart(client: TestClient, tmp_path: Path, tokens: dict[str, str]) -> None:
    made = other_bundle(tmp_path / "candidate")
    state = client.app.state  # type: ignore[attr-defined]
    with unit_of_work(state.sessions) as session:
        state.bundle.register(session, made.folder, gate="passed")
    operator = {"Authorization": f"Bearer {tokens['operator']}"}
    before = client.get("/health/ready").json()["bundle"]
    path = f"/api/v1/bundles/{made.identifier}/promote"
    assert client.post(path, json={"reason": ""}, headers=operator).status_code == 422
    assert client.post(path, json={"reason": "better"}, headers=operator).json()["in_service"]
    assert client.get("/health/ready").json()["bundle"] == made.identifier != before
    body = {"patient": {"pseudonym": "P"}, "ctg": {"features": HEALTHY}}
    clinician = {"Authorization": f"Bearer {tokens['clinician']}"}
    assert (
        client.post("/api/v1/assessments", json=body, headers=clinician).json()["result"]["bundle"] == made.identifier
    )
    assert client.post(path, json={"reason": "again"}, headers=operator).status_code == 409
    back = client.post("/api/v1/bundles/roll-back", json={"reason": "worse"}, headers=operator)
    assert back.json()["identifier"] == before
    assert client.get("/health/ready").json()["bundle"] == before
    assert len(client.get("/api/v1/bundles", headers=operator).json()) == 2
    assert client.get(f"/api/v1/bundles/{before}", headers=operator).json()["manifest"]["format"] == 1
    assert client.get("/api/v1/bundles/none", headers=operator).status_code == 404


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gate", "changes", "words"),
    [("refused", {}, "gate refused"), ("passed", {"synthetic": True}, "synthetic data")],
)
def test_what_may_not_serve(
    client: TestClient, tmp_path: Path, gate: str, changes: dict[str, object], words: str
) -> None:
    made = other_bundle(tmp_path / "candidate", **changes)
    state = client.app.state  # type: ignore[attr-defined]
    with unit_of_work(state.sessions) as session:
        state.bundle.register(session, made.folder, gate=gate)
        with pytest.raises(FetalHealthError, match=words):
            state.bundle.promote(session, made.identifier, "test", "because")


def test_a_damaged_bundle_in_service_stops_assessments(
    client: TestClient, tmp_path: Path, tokens: dict[str, str]
) -> None:
    made = other_bundle(tmp_path / "candidate")
    state = client.app.state  # type: ignore[attr-defined]
    with unit_of_work(state.sessions) as session:
        row = state.bundle.register(session, made.folder)
        state.bundle.promote(session, made.identifier, "test", "because")
    (state.bundle.folder(row.identifier) / "fusion.json").write_text("{}")
    assert client.get("/health/ready").status_code == 503
    body = {"patient": {"pseudonym": "P"}, "ctg": {"features": HEALTHY}}
    answer = client.post("/api/v1/assessments", json=body, headers={"Authorization": f"Bearer {tokens['clinician']}"})
    assert answer.status_code == 503
    assert "No bundle can be used" in answer.json()["detail"]
    with unit_of_work(state.sessions) as session, pytest.raises(BundleError):
        BundleRegistry(state.settings.home).get(session)


def test_a_finished_run_is_registered_and_shown(client: TestClient, tmp_path: Path, settings: Settings) -> None:
    folder, _ = control.prepare(settings.home / "runs", load(shipped_plans()["synthetic"]))
    made = other_bundle(folder / "candidate")
    run = RunFolder(folder)
    run.event("started", plan="synthetic")
    run.event("round", modality="ctg", round=1, rounds=2, sites=3.0, bytes=2048.0, seconds_left=4)
    run.event("round", modality="ultrasound", round=2, rounds=2, sites=2.0, bytes=4096.0, loss=0.4, seconds_left=0)
    run.event("gate", verdict="macro_f1: fine")
    run.event("finished", candidate=made.identifier, gate="passed")
    csrf = browser(client, "operator")
    page = client.get(f"/federation/runs/{folder.name}").text
    for words in ("finished", "Round 1 of 2", "training loss", "macro_f1: fine", made.identifier):
        assert words in page
    listing = client.get("/federation").text
    assert made.identifier in listing
    assert "passed" in client.get(f"/bundles/{made.identifier}").text
    form = {"csrf_token": csrf, "reason": "try it"}
    assert client.post(f"/bundles/{made.identifier}/promote", data=form).status_code == 303
    assert client.post("/bundles/roll-back", data=form).status_code == 303
    assert client.post(f"/federation/runs/{folder.name}/stop", data=form).status_code == 409
    assert client.post(f"/federation/runs/{folder.name}/resume", data=form).status_code == 409


def test_a_study_shows_its_sites_and_figures_and_makes_no_bundle(client: TestClient, settings: Settings) -> None:
    folder, _ = control.prepare(settings.home / "runs", load(shipped_plans()["multi-task"]))
    run = RunFolder(folder)
    run.event("started", plan="multi-task")
    counted = {"rounds": 2, "sites": 2.0, "bytes": 2048.0, "bytes_down": 4096.0, "seconds_left": 0}
    for number in (1, 2):
        losses = {"a": 0.9 / number, "b": 0.7 / number}
        run.event("round", modality="shared-multi-task", round=number, loss=0.8, site_loss=losses, **counted)
        run.event(
            "round", modality="ctg", round=number, left_out_loss=losses, rejected=["site c: it is off; look"], **counted
        )
    run.event("judged", task="growth", rows=60, events=9, log_loss=0.5, macro_f1=0.6)
    run.event("note", words="not aligned: p 0.4")
    run.event("finished", figures="results.json")
    browser(client, "operator")
    page = client.get(f"/federation/runs/{folder.name}").text
    for words in (
        "2 kB sent and 4 kB received",
        "Every site, last round",
        "0.450",
        "Rejected in this round: site c",
        "produces no bundle",
        "not aligned: p 0.4",
    ):
        assert words in page
    assert "mean out-of-fold loss" in page
    assert "Candidate" not in page
    assert "not used: site c: it is off; look" in describe(run.events()[2])


def test_jobs_refuse_what_cannot_run(client: TestClient, tokens: dict[str, str]) -> None:
    operator = {"Authorization": f"Bearer {tokens['operator']}"}
    assert client.post("/api/v1/jobs", json={"plan": "none"}, headers=operator).status_code == 422
    answer = client.post("/api/v1/jobs", json={"plan": "default"}, headers=operator)
    assert answer.status_code == 409
    assert "FETAL_HEALTH_DATA" in answer.json()["detail"]
    assert client.get("/api/v1/jobs", headers=operator).json() == []
    for name in ("none", "..", ".hidden"):
        assert client.get(f"/api/v1/jobs/{name}", headers=operator).status_code in {404, 422}


def test_probes_and_metrics(client: TestClient) -> None:
    assert client.get("/health/live").json() == {"status": "alive"}
    client.get("/sign-in")
    text = client.get("/metrics").text
    assert 'fetal_health_requests_total{method="GET",route="/sign-in",status="200"}' in text


def test_openapi_describes_both_bodies(api: TestClient) -> None:
    document = api.get("/api/v1/openapi.json").json()
    body = document["paths"]["/api/v1/assessments"]["post"]["requestBody"]["content"]
    assert set(body) == {"application/json", "multipart/form-data"}
    assert "AssessmentRequest" in document["components"]["schemas"]
    assert "CtgRequest" in document["components"]["schemas"]


def test_migrations_go_up_and_down_without_drift(tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    import app.tables  # noqa: F401

    engine = make_engine(f"sqlite:///{tmp_path / 'a.db'}")
    migrate(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    migrate(engine, "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    engine.dispose()


@pytest.mark.slow
def test_command_line_accounts_models_and_backup(cli, home: Path, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    assert "password (shown once)" in cli("user", "add", "anna", "--role", "operator").output
    assert isinstance(cli("user", "add", "anna").exception, FetalHealthError)
    assert isinstance(cli("user", "add", "x", "--role", "king").exception, FetalHealthError)
    listing = cli("models", "list").output
    identifier = Bundle(shipped()).identifier
    assert f"* {identifier}" in listing
    assert "Model card" in cli("models", "show", identifier).output
    made = other_bundle(tmp_path / "run" / "candidate")
    assert f"in service: {made.identifier}" in cli("models", "promote", str(made.folder), "--reason", "test").output
    assert f"in service: {identifier}" in cli("models", "rollback", "--reason", "test").output
    archive = tmp_path / "backup.tar.gz"
    assert cli("backup", str(archive)).exit_code == 0
    assert isinstance(cli("restore", str(archive)).exception, FetalHealthError)
    shutil.rmtree(home)
    shutil.rmtree(made.folder)
    assert cli("restore", str(archive)).exit_code == 0
    assert "in service" in cli("models", "promote", made.identifier, "--reason", "restored").output
    (tmp_path / "broken.tar.gz").write_bytes(b"x")
    shutil.rmtree(home)
    assert "not a backup" in str(cli("restore", str(tmp_path / "broken.tar.gz")).exception)


@pytest.mark.slow
def test_command_line_assess_and_data(cli, tmp_path: Path, data: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "t.csv"
    path.write_bytes(as_csv(trace(minutes=15, seed=2).recording))
    made = json.loads(
        cli("assess", "--ctg", str(path), "--head-circumference-mm", "250", "--gestational-age", "28+0").output
    )
    assert made["score"] is not None
    assert "nothing to assess" in str(cli("assess").exception)
    assert isinstance(cli("assess", "--ctg", str(tmp_path / "none.csv")).exception, FetalHealthError)
    assert cli("data", "check", str(data)).exit_code == 0
    assert cli("data", "check", str(tmp_path)).exit_code == 1
    report = json.loads(cli("evaluate", str(data), "--json").output)
    assert set(report["datasets"]) == {"uci_ctg", "ctu_uhb", "fusion_real_pairs", "hc18"}
    assert isinstance(cli("evaluate", str(tmp_path / "none")).exception, FetalHealthError)


@pytest.mark.network
def test_doctor(cli) -> None:  # type: ignore[no-untyped-def]
    output = cli("doctor").output
    assert "shipped bundle" in output
    assert "matches its manifest" in output


@pytest.mark.slow
def test_demonstration_patients_are_marked(settings: Settings) -> None:
    from app.database import session_factory
    from app.installation import prepare
    from app.patients.store import Woman

    password = prepare(settings, demonstration=True)
    assert password
    assert len(password) >= 12
    assert prepare(settings, demonstration=True) is None
    engine = make_engine(settings.database)
    with unit_of_work(session_factory(engine)) as session:
        women = session.query(Woman).all()
        assert len(women) == 6
        assert all(woman.synthetic and "synthetic" in woman.pseudonym for woman in women)
    engine.dispose()
