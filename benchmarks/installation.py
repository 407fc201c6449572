"""An installation of its own with a running server, for benchmarks and soak tests."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from app.accounts.service import create_account
from app.accounts.store import Role
from app.accounts.tokens import create_token
from app.database import make_engine, migrate, session_factory
from app.settings import Settings
from app.transactions import unit_of_work
from benchmarks.postgresql import free_port

PASSWORD = "benchmark password"  # noqa: S105  (of an account that exists for minutes)


class Installation:
    """A home and a database with accounts, and servers on them.

    Parameters
    ----------
    home : Path
    database_url : str or None
        None: SQLite in the home.
    settings : str
        Of the environment, without the prefix ``FETAL_HEALTH_``.
    """

    def __init__(self, home: Path, database_url: str | None = None, **settings: str) -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        kept = {k: v for k, v in os.environ.items() if k != "DATABASE_URL" and not k.startswith("FETAL_HEALTH_")}
        own = {f"FETAL_HEALTH_{name.upper()}": value for name, value in settings.items()}
        self.environment = kept | own | {"FETAL_HEALTH_HOME": str(home), "OMP_NUM_THREADS": "1"}
        if database_url:
            self.environment["DATABASE_URL"] = database_url
        chosen = Settings(home=home, data=None)
        chosen.database_url = database_url
        self.engine = make_engine(chosen.database)
        migrate(self.engine)
        self.sessions = session_factory(self.engine)
        self.tokens: dict[str, str] = {}
        self.port = free_port()
        self.servers: list[subprocess.Popen[bytes]] = []

    @property
    def base(self) -> str:
        """Address of the first server."""
        return f"http://127.0.0.1:{self.port}"

    def user(self, name: str, role: Role = Role.CLINICIAN) -> str:
        """Add an account; returns its token."""
        with unit_of_work(self.sessions) as session:
            self.tokens[name] = create_token(session, create_account(session, name, PASSWORD, role), "benchmark")
        return self.tokens[name]

    def client(self, name: str, base: str = "", **options: Any) -> httpx.Client:
        """A client with the token of a user."""
        headers = {"Authorization": f"Bearer {self.tokens[name]}"}
        return httpx.Client(base_url=base or self.base, headers=headers, timeout=120, **options)

    def person(self, name: str, base: str = "", **options: Any) -> httpx.Client:
        """A client that has signed in as a user does in the browser: only a person signs."""
        client = httpx.Client(base_url=base or self.base, timeout=120, **options)
        client.post("/sign-in", data={"name": name, "password": PASSWORD})
        page = client.get("/account").text
        client.headers["X-CSRF-Token"] = page.split('name="csrf_token" value="')[1].split('"')[0]
        return client

    def serve(self, port: int | None = None) -> subprocess.Popen[bytes]:
        """Start a server and wait until it is ready."""
        port = port or self.port
        line = [sys.executable, "-m", "app.cli", "serve", "--port", str(port)]
        server = subprocess.Popen(line, env=self.environment, stdout=subprocess.DEVNULL, start_new_session=True)
        self.servers.append(server)
        for _ in range(1500):
            try:
                if httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=5).status_code == 200:
                    return server
            except httpx.HTTPError:
                pass
            if server.poll() is not None:
                raise RuntimeError(f"the server ended with exit code {server.returncode}")
            time.sleep(0.02)
        raise TimeoutError("the server is not ready")

    def close(self) -> None:
        """Stop all servers."""
        for server in self.servers:
            if server.poll() is None:
                server.terminate()
        for server in self.servers:
            server.wait(30)
        self.engine.dispose()


@contextmanager
def installation(database_url: str | None = None, **settings: str) -> Iterator[Installation]:
    """An installation for the time of the block."""
    with tempfile.TemporaryDirectory() as folder:
        made = Installation(Path(folder) / "home", database_url, **settings)
        try:
            yield made
        finally:
            made.close()
