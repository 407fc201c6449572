"""A PostgreSQL server of Debian's packages on a free port, with its own cluster, as an unprivileged user."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def binaries() -> Path | None:
    """Folder of the programs; None where they are not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A cluster that can be started, crashed and stopped.

    Parameters
    ----------
    folder : Path
        Empty; removed by the caller.
    """

    def __init__(self, folder: Path) -> None:
        programs = binaries()
        if programs is None:
            raise FileNotFoundError("PostgreSQL is not installed (Debian: postgresql)")
        self.port = free_port()
        self.address = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self._prefix: list[str] = []
        if os.geteuid() == 0:  # the server refuses to run as root
            root = Path(tempfile.gettempdir())
            for path in (folder, *(parent for parent in folder.parents if root in parent.parents)):
                path.chmod(0o755)
            shutil.chown(folder, "postgres")
            self._prefix = ["runuser", "-u", "postgres", "--"]
        self._programs, self._folder, self._cluster = programs, folder, folder / "cluster"
        make = [str(programs / "initdb"), "-D", str(self._cluster), "-A", "trust", "-U", "postgres", "--no-sync"]
        subprocess.run([*self._prefix, *make], check=True, capture_output=True)
        self.start()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        line = ["-D", str(self._cluster), "-p", str(self.port), "-k", str(self._folder), "-h", "127.0.0.1"]
        self._process = subprocess.Popen(
            [*self._prefix, str(self._programs / "postgres"), *line, "-c", "max_connections=200"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        ready = [str(self._programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        for _ in range(300):
            if subprocess.run(ready, check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise TimeoutError("PostgreSQL did not start")

    def crash(self) -> None:
        """End all its processes at once, as a crash does."""
        number = int((self._cluster / "postmaster.pid").read_text().split()[0])
        os.kill(number, signal.SIGQUIT)
        self._process.wait(20)

    def stop(self) -> None:
        """Stop the server."""
        self._process.terminate()
        self._process.wait(20)


@contextmanager
def postgresql() -> Iterator[Server]:
    """A server for the time of the block."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        try:
            yield server
        finally:
            server.stop()
