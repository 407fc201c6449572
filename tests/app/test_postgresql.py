"""The same application on a real PostgreSQL server, started for the test."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.accounts.service import create_account
from app.accounts.store import Role
from app.accounts.tokens import create_token
from app.database import make_engine, migrate, session_factory
from app.main import create_app
from app.orm import Base
from app.settings import Settings
from app.transactions import unit_of_work
from tests.app.conftest import PASSWORD
from tests.examples import HEALTHY, LABOUR

pytestmark = [pytest.mark.soak, pytest.mark.network]


def test_the_whole_way_on_postgresql(postgresql: str, tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    engine = make_engine(postgresql)
    migrate(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    with unit_of_work(session_factory(engine)) as session:
        token = create_token(session, create_account(session, "anna", PASSWORD, Role.ADMINISTRATOR), "test")
    settings = Settings(home=tmp_path, data=None)
    settings.database_url = postgresql
    with TestClient(create_app(settings), headers={"Authorization": f"Bearer {token}"}) as client:
        assert client.get("/health/ready").status_code == 200
        body = {"patient": {"pseudonym": "P-1"}, "ctg": {"features": HEALTHY}}
        made = client.post("/api/v1/assessments", json=body, headers={"Idempotency-Key": "a"})
        assert made.status_code == 201
        again = client.post("/api/v1/assessments", json=body, headers={"Idempotency-Key": "a"})
        assert again.json()["id"] == made.json()["id"]
        dated = {"pseudonym": "P-1", "last_menstrual_period": (date.today() - timedelta(days=230)).isoformat()}
        for days_ago, around in ((40, 255.0), (5, 290.0)):  # growth over visits reads JSON in the database
            when = datetime.now(UTC) - timedelta(days=days_ago)
            scan = {"head_circumference_mm": around, "performed_at": when.isoformat()}
            later = client.post("/api/v1/assessments", json={"patient": dated, "scan": scan})
            assert later.status_code == 201, later.text
        (change,) = later.json()["result"]["growth"]["detail"]["growth"]["changes"]
        assert change["days"] == 35
        heart = [None if value != value else round(float(value), 1) for value in LABOUR.fhr_bpm[::4]]
        trace = {"stage": "labour", "trace": {"sampling_rate_hz": 1, "fhr_bpm": heart}}
        scored = client.post("/api/v1/assessments", json={"patient": {"pseudonym": "P-1"}, "ctg": trace})
        assert scored.json()["result"]["score"] is not None, scored.text
        born = {"umbilical_artery_ph": 7.21, "born_at": datetime.now(UTC).isoformat()}
        early = client.post("/api/v1/patients/P-1/outcomes", json=born | {"born_at": "2026-01-01T00:00:00Z"})
        assert early.status_code == 422
        report = client.get("/api/v1/monitoring").json()["report"]  # reads JSON in the database too
        assert report["assessments"] == 4
        assert client.post(f"/api/v1/assessments/{later.json()['id']}/repeat").json()["same"]
        assert client.post("/api/v1/patients/P-1/outcomes", json=born).status_code == 201
        assert client.get("/api/v1/monitoring").json()["report"]["outcomes"]["births"] == 1
        pages = ("/", "/patients/P-1", f"/assessments/{made.json()['id']}", "/audit", "/federation", "/monitoring")
        for path in (*pages, "/evidence"):
            assert client.get(path, headers={"Accept": "text/html"}).status_code == 200
    migrate(engine, "base")
    engine.dispose()
