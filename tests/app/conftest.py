"""The application on a temporary SQLite home, with one user a role."""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from typer.testing import CliRunner

from app.accounts import passwords, routes
from app.accounts.service import create_account
from app.accounts.store import Role
from app.accounts.tokens import create_token
from app.bundles.service import BundleRegistry
from app.cli import app as command
from app.database import make_engine, migrate, session_factory
from app.main import create_app
from app.settings import Settings
from app.transactions import unit_of_work
from benchmarks.postgresql import Server, binaries
from models.bundle import Bundle
from models.ultrasound.segmentation import Segmenter
from tests.conftest import need

os.environ["FETAL_HEALTH_HOSTS"] = "testserver"  # the name that the test client uses
PASSWORD = "correct horse battery"
PRODUCTION_PASSWORDS = passwords.hasher
routes.REFUSED_AFTER_S = 0.0
passwords.hasher = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))  # a cheap hash


ROUTES: dict[str, list[Any]] = {}
LOADED: dict[bytes, Any] = {}


def application(settings: Settings) -> FastAPI:
    """The application. FastAPI works its routes out at the first request, and those of the first one serve all."""
    made = create_app(settings)
    ROUTES.setdefault("all", list(made.router.routes))
    assert len(made.router.routes) == len(ROUTES["all"])
    made.router.routes[:] = ROUTES["all"]
    return made


def routes_of(client: TestClient) -> list[APIRoute]:
    """Every route of the application."""
    found: list[APIRoute] = []

    def walk(routes: Any) -> None:
        for route in routes:
            if isinstance(route, APIRoute):
                found.append(route)
            elif hasattr(route, "original_router"):
                walk(route.original_router.routes)

    walk(client.app.routes)  # type: ignore[attr-defined]
    return found


@pytest.fixture(autouse=True)
def _models_are_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every home has its copy of a bundle, which is verified as ever; the same bytes are the same loaded model."""
    booster = Bundle._booster

    def loaded(path: Path, load: Callable[[], Any]) -> Any:
        if not path.is_file():
            return load()
        content = sha256(path.read_bytes()).digest()
        if content not in LOADED:
            LOADED[content] = load()
        return LOADED[content]

    monkeypatch.setattr(Bundle, "_booster", lambda self, name: loaded(self.folder / name, lambda: booster(self, name)))
    monkeypatch.setattr("models.bundle.Segmenter", lambda path: loaded(path, lambda: Segmenter(path)))


class Installation(NamedTuple):
    """A home with schema, shipped bundle and one account a role, and an API token a role."""

    home: Path
    tokens: dict[str, str]


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Made once a session; `tokens` copies it for each test."""
    home = tmp_path_factory.mktemp("installation")
    engine = make_engine(Settings(home=home, data=None).database)
    migrate(engine)
    tokens = {}
    with unit_of_work(session_factory(engine)) as session:
        BundleRegistry(home).ensure_shipped(session)
        for role in Role:
            account = create_account(session, f"{role.value}-1", PASSWORD, role)
            tokens[role.value] = create_token(session, account, "test")
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")  # everything in one file, to be copied
    engine.dispose()
    return Installation(home, tokens)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def settings(home: Path) -> Settings:
    home.mkdir()
    return Settings(home=home, max_upload_mb=2, data=None, workers=0)


@pytest.fixture
def tokens(settings: Settings, installation: Installation) -> dict[str, str]:
    """An API token a role, in a copy of the installation."""
    shutil.copytree(installation.home, settings.home, dirs_exist_ok=True)
    return dict(installation.tokens)


@pytest.fixture
def client(settings: Settings, tokens: dict[str, str]) -> Iterator[TestClient]:
    """Not signed in."""
    with TestClient(application(settings), follow_redirects=False) as made:
        yield made


@pytest.fixture
def api(client: TestClient, tokens: dict[str, str]) -> TestClient:
    """With a clinician's token."""
    client.headers["Authorization"] = f"Bearer {tokens['clinician']}"
    return client


def browser(client: TestClient, role: str) -> str:
    """Sign in as a browser does; returns the CSRF token."""
    client.headers["Accept"] = "text/html"
    answer = client.post("/sign-in", data={"name": f"{role}-1", "password": PASSWORD})
    assert answer.status_code == 303
    page = client.get("/account").text
    return page.split('name="csrf_token" value="')[1].split('"')[0]


@pytest.fixture
def cli(home: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.setenv("FETAL_HEALTH_HOME", str(home))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("FETAL_HEALTH_DATA", raising=False)
    from app.settings import settings

    settings.cache_clear()
    yield lambda *words, **more: CliRunner().invoke(command, list(words), **more)
    settings.cache_clear()


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server on a free port, with its own cluster."""
    need(binaries() is not None, "PostgreSQL is not installed (Debian: postgresql)")
    server = Server(tmp_path_factory.mktemp("postgresql"))
    yield server.address
    server.stop()


def new_database(server: str) -> str:
    """The address of a new database on a PostgreSQL server."""
    name = f"test_{uuid.uuid4().hex}"
    engine = make_engine(server)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return f"{server.rsplit('/', 1)[0]}/{name}"


@pytest.fixture
def postgresql_database(postgresql: str) -> str:
    """The address of a new database."""
    return new_database(postgresql)
