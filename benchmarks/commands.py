"""CPU time of commands: help of all of them together, and those that an operator waits for."""

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

LINES = ("--help", "federate --help", "migrate", "user add somebody", "doctor", "doctor --deep", "backup archive.tgz")


def cpu_seconds(line: str, home: Path) -> float:
    """User and system time of one command, s."""
    environment = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"} | {"FETAL_HEALTH_HOME": str(home)}
    words = [str(home / word) if word.endswith(".tgz") else word for word in line.split()]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = [sys.executable, "-m", "app.cli", *words]
    subprocess.run(run, env=environment, stdout=subprocess.DEVNULL, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def show() -> None:
    """Print the CPU time of each command on a new installation."""
    with tempfile.TemporaryDirectory() as home:
        print(f"{'command':24s}{'CPU':>8s}   s")
        for line in LINES:
            print(f"{line:24s}{cpu_seconds(line, Path(home)):8.2f}")
