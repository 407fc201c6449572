"""Worker processes: values and errors come back, limits hold, and no process is left over."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from app import workers as workers_
from app.database import migrate
from app.errors import Problem, StorageProblem, TooMuchError
from app.settings import Settings
from app.workers import Workers
from app.workplace import Workplace
from models.errors import FormatError

pytestmark = pytest.mark.slow


def number(place: Workplace) -> int:
    return os.getpid()


def add(place: Workplace, one: int, other: int) -> int:
    return one + other


def wrong(place: Workplace, text: str) -> None:
    raise FormatError(text)


def busy(place: Workplace) -> None:
    raise StorageProblem("The disk is full")


def spin(place: Workplace) -> None:
    while True:
        pass


def swell(place: Workplace) -> int:
    return int(np.ones(2 * 10**8).sum())


def vanish(place: Workplace) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    place = Workplace(Settings(home=tmp_path, data=None, workers=2, request_cpu_s=1, request_memory_mb=200))
    migrate(place.engine)
    made = Workers(place)
    yield made
    made.close()
    place.engine.dispose()


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(true: Callable[[], bool], seconds: float = 20.0) -> bool:
    last = time.monotonic() + seconds
    while time.monotonic() < last:
        if true():
            return True
        time.sleep(0.05)
    return False


def test_values_and_plain_errors_come_back(workers: Workers) -> None:
    assert workers.run(add, 2, 3) == 5
    assert workers.run(number) != os.getpid()
    with pytest.raises(FormatError, match="line 7 is no number"):
        workers.run(wrong, "line 7 is no number")
    with pytest.raises(Problem, match="503") as refused:
        workers.run(busy)
    assert refused.value.headers == {"Retry-After": "5"}


def test_a_runaway_is_ended_and_the_others_work_on(workers: Workers) -> None:
    runaway = workers.submit(spin)
    assert [workers.run(add, k, 1) for k in range(20)] == list(range(1, 21))
    with pytest.raises(TooMuchError, match="needs more than 1 s of computing"):
        runaway.result()
    assert workers.run(add, 1, 1) == 2


def test_too_much_memory_is_refused_in_one_line(workers: Workers) -> None:
    with pytest.raises(TooMuchError, match="needs more than 200 MB of memory"):
        workers.run(swell)
    assert workers.run(add, 1, 1) == 2


def test_a_worker_that_is_killed_loses_one_job(workers: Workers) -> None:
    with pytest.raises(TooMuchError, match="ended; see whether it is in the worklist"):
        workers.run(vanish)
    assert workers.run(add, 1, 1) == 2


def test_idle_workers_end_and_come_back(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    process = workers.run(number)
    workers.end_idle()
    assert alive(process)
    monkeypatch.setattr(workers_, "IDLE_S", 0.0)
    assert until(lambda: workers.end_idle() is None and not alive(process))
    assert workers.run(add, 1, 1) == 2


def test_without_workers_jobs_run_here(tmp_path: Path) -> None:
    made = Workers(Workplace(Settings(home=tmp_path, data=None, workers=0)))
    assert made.run(number) == os.getpid()
    made.close()


SERVER = """
import time
from pathlib import Path
from app.database import migrate
from app.settings import Settings
from app.workers import Workers
from app.workplace import Workplace
from tests.app.test_workers import number, spin
if __name__ == "__main__":
    place = Workplace(Settings(home=Path({home!r}), data=None, workers=2))
    migrate(place.engine)
    workers = Workers(place)
    workers.submit(spin)
    print(workers.run(number), flush=True)
    time.sleep(60)
"""


def test_workers_end_with_a_server_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "server.py"
    script.write_text(SERVER.format(home=str(tmp_path)), encoding="utf-8")
    root = Path(workers_.__file__).parent.parent
    environment = {**os.environ, "PYTHONPATH": str(root)}
    line = [sys.executable, str(script)]
    server = subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True)
    assert server.stdout is not None
    worker = int(server.stdout.readline())
    group = [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit() and _session(int(p.name)) == server.pid]
    assert worker in group
    server.kill()
    server.wait()
    server.stdout.close()
    assert until(lambda: not any(alive(process) for process in group))


def _session(process: int) -> int:
    try:
        return os.getsid(process)
    except OSError:
        return -1
