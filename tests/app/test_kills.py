"""The server and the database are killed while clients upload: what was acknowledged is there, whole and once."""

from pathlib import Path

import pytest

from benchmarks.installation import installation
from benchmarks.kills import run, wrong
from benchmarks.postgresql import Server, binaries
from tests.conftest import need

pytestmark = [pytest.mark.soak, pytest.mark.network]


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_nothing_acknowledged_is_lost(engine: str, tmp_path: Path) -> None:
    server = None
    if engine == "postgresql":
        need(binaries() is not None, "PostgreSQL is not installed (Debian: postgresql)")
        server = Server(tmp_path)
    try:
        with installation(server.address if server else None) as place:
            outcome = run(place, uploads=48, kills=4, database=server)
            assert wrong(place, outcome, 48) == []
            assert outcome.broken > 0
    finally:
        if server is not None:
            server.stop()
