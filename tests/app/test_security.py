"""What surrounds the application: names of the host, TLS, metrics."""

import pytest
from fastapi.testclient import TestClient

from app.settings import Settings
from tests.app.conftest import PASSWORD, application


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "", "localhost@evil"])
def test_another_host_is_refused(client: TestClient, host: str) -> None:
    for path in ("/patients", "/sign-in", "/api/v1/patients", "/health/ready", "/static/app.css", "/patients/"):
        answer = client.get(path, headers={"Host": host})
        assert answer.status_code == 400, path
        assert "FETAL_HEALTH_HOSTS" in answer.text
        assert "evil" not in answer.headers.get("location", "")


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1:8080", "127.0.0.1", "[::1]:8080", "LOCALHOST"])
def test_this_machine_is_always_known(client: TestClient, host: str) -> None:
    assert client.get("/health/live", headers={"Host": host}).status_code == 200


def test_with_tls_the_cookie_is_bound_to_the_host(settings: Settings, tokens: dict[str, str]) -> None:
    chosen = settings.model_copy(update={"secure_cookies": True, "hosts": "ward.example, other.example"})
    with TestClient(application(chosen), base_url="https://ward.example", follow_redirects=False) as client:
        answer = client.post("/sign-in", data={"name": "clinician-1", "password": PASSWORD})
        cookie = answer.headers["set-cookie"].lower()
        assert cookie.startswith("__host-fetal_health_session=")
        assert "; secure" in cookie
        assert "path=/;" in cookie
        assert "domain" not in cookie
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        assert client.get("/patients").status_code == 200


def test_without_tls_nothing_asks_for_it(client: TestClient) -> None:
    assert "strict-transport-security" not in client.get("/sign-in").headers


def test_metrics_can_be_closed(settings: Settings, tokens: dict[str, str]) -> None:
    with TestClient(application(settings)) as client:
        assert client.get("/metrics").status_code == 200
    with TestClient(application(settings.model_copy(update={"metrics": False}))) as client:
        assert client.get("/metrics").status_code == 404
