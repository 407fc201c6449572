"""Two servers on one PostgreSQL database behave as one."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.accounts.store import Role
from app.bundles.service import BundleRegistry
from app.transactions import unit_of_work
from benchmarks.installation import PASSWORD, Installation
from tests.app.test_operations import other_bundle
from tests.examples import HEALTHY

pytestmark = [pytest.mark.soak, pytest.mark.network]
BODY = {"patient": {"pseudonym": "P-1"}, "ctg": {"features": HEALTHY}}
PAGE = {"Accept": "text/html"}


@pytest.fixture
def pair(postgresql_database: str, tmp_path: Path) -> Iterator[tuple[Installation, Installation]]:
    """Two homes, each with a server, on one database."""
    first = Installation(tmp_path / "one", postgresql_database)
    second = Installation(tmp_path / "two", postgresql_database)
    first.user("anna")
    first.user("otto", Role.OPERATOR)
    second.tokens = first.tokens
    try:
        first.serve()
        second.serve()
        yield first, second
    finally:
        second.close()
        first.close()


def test_what_one_server_does_the_other_knows(pair: tuple[Installation, Installation], tmp_path: Path) -> None:
    first, second = pair
    key = {"Idempotency-Key": "one"}
    with first.client("anna") as here, second.client("anna") as there:
        made = here.post("/api/v1/assessments", json=BODY, headers=key).json()
        assert there.post("/api/v1/assessments", json=BODY, headers=key).json()["id"] == made["id"]
        assert there.get(f"/api/v1/assessments/{made['id']}").json()["result"] == made["result"]

    candidate = other_bundle(tmp_path / "candidate")
    with unit_of_work(first.sessions) as session:
        BundleRegistry(first.home, first.sessions).register(session, candidate.folder, gate="passed")
    with first.client("otto") as here, second.client("otto") as there, second.client("anna") as clinician:
        promoted = there.post(f"/api/v1/bundles/{candidate.identifier}/promote", json={"reason": "better"})
        assert promoted.status_code == 200, promoted.text  # its files came through the database
        for base in (first.base, second.base):
            assert httpx.get(f"{base}/health/ready").json()["bundle"] == candidate.identifier
        assert clinician.post("/api/v1/assessments", json=BODY).json()["result"]["bundle"] == candidate.identifier
        assert here.post("/api/v1/bundles/roll-back", json={"reason": "worse"}).status_code == 200
        assert clinician.post("/api/v1/assessments", json=BODY).json()["result"]["bundle"] != candidate.identifier

    with httpx.Client(base_url=first.base) as browser:
        assert browser.post("/sign-in", data={"name": "anna", "password": PASSWORD}).status_code == 303
        account = httpx.get(f"{second.base}/account", cookies=browser.cookies, headers=PAGE)
        assert account.status_code == 200
        token = account.text.split('name="csrf_token" value="')[1].split('"')[0]
        signed_in = dict(browser.cookies)
        assert browser.post("/sign-out", data={"csrf_token": token}).status_code == 303
        assert httpx.get(f"{second.base}/account", cookies=signed_in, headers=PAGE).status_code == 303
