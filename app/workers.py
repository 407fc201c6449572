"""Worker processes: they parse uploads and run the models, so that all cores work and a runaway can be ended.

A job is a function of a `Workplace` and of values that can be pickled. It runs in one of a few processes, which end
when nothing was asked of them for a while, and when the server is gone.
"""

import contextlib
import ctypes
import gc
import importlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from pebble import ProcessExpired, ProcessPool
from sqlalchemy.exc import SQLAlchemyError

from app.errors import Problem, TooMuchError, of_storage
from app.settings import Settings
from app.workplace import Workplace, of_process

Value = TypeVar("Value")
# Imported once, before the workers are forked: they share its memory.
JOBS = "app.assessments.jobs"
IDLE_S = 300.0
LOOK_S = 1.0
# A job that waits for a database or a disk takes no processor time; it ends after this.
WALL_S = 60.0
MB = 2**20
LOOK = "see whether it is in the worklist, and send less at once"
# Freed memory goes back to the system after a large job, and after so many of any size.
LARGE, TRIM_EVERY = 64 * MB, 10
_jobs = [0]


class Workers:
    """The workers of one server.

    Parameters
    ----------
    place : Workplace
        Of the server. With ``workers=0`` in its settings jobs run here, in threads, and no limit can be kept.
    """

    def __init__(self, place: Workplace) -> None:
        self.place = place
        self._threads = None if place.settings.workers else ThreadPoolExecutor(os.cpu_count(), "job")
        self._pool: ProcessPool | None = None
        self._lock = threading.Lock()
        self._used = time.monotonic()
        self._at_work = 0

    def submit(self, job: Callable[..., Value], *values: Any) -> "Future[Value]":
        """Ask for a job; the errors of the future are those that it raises, or `TooMuchError`."""
        if self._threads is not None:
            return self._threads.submit(job, self.place, *values)
        answer: Future[Value] = Future()
        with self._lock:
            if self._pool is None:
                self._pool = _pool(self.place.settings)
            self._at_work += 1
            asked = self._pool.schedule(_run, args=[self.place.settings.model_dump_json(), job, values], timeout=WALL_S)
        asked.add_done_callback(lambda done: self._done(done, answer))
        return answer

    def run(self, job: Callable[..., Value], *values: Any) -> Value:
        """Ask for a job and wait for it."""
        return self.submit(job, *values).result()

    def end_idle(self) -> None:
        """End the workers if nothing was asked of them for a while; the next job starts them again."""
        with self._lock:
            if self._pool is None or self._at_work or time.monotonic() - self._used < IDLE_S:
                return
            idle, self._pool = self._pool, None
        _end(idle)

    def close(self) -> None:
        """End all workers."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            _end(pool)
        if self._threads is not None:
            self._threads.shutdown()

    def _done(self, done: "Future[Any]", answer: "Future[Any]") -> None:
        with self._lock:
            self._at_work -= 1
            self._used = time.monotonic()
        error = done.exception()
        if error is None:
            answer.set_result(done.result())
        else:
            answer.set_exception(_plain(error, self.place.settings))


def _pool(settings: Settings) -> ProcessPool:
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")  # of glibc, read when the fork server starts
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([JOBS])
    return ProcessPool(settings.workers, context=context, initializer=_begin, initargs=[os.getpid()])


def _end(pool: ProcessPool) -> None:
    pool.stop()  # type: ignore[no-untyped-call]
    pool.join()


def _plain(error: BaseException, settings: Settings) -> BaseException:
    if isinstance(error, TimeoutError):
        words = f"this took more than {WALL_S:.0f} s and was stopped; see whether it is in the worklist"
        return Problem(503, words, headers={"Retry-After": "5"})
    if isinstance(error, ProcessExpired):
        if error.exitcode == -signal.SIGXCPU:
            return TooMuchError(f"this needs more than {settings.request_cpu_s} s of computing and was stopped; {LOOK}")
        return TooMuchError(f"the process that worked on this ended; {LOOK}")
    return error


def _begin(server: int) -> None:
    """Prepare a worker: the server's signals are not for it, and it ends when the server is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(5)  # pages go first
    threading.Thread(target=_end_with, args=[server], name="server", daemon=True).start()


def _end_with(server: int) -> None:
    while True:
        try:
            os.kill(server, 0)
        except ProcessLookupError:
            os._exit(1)
        except PermissionError:
            pass
        time.sleep(LOOK_S)


def _run(settings: str, job: Callable[..., Any], values: tuple[Any, ...]) -> Any:
    place = of_process(settings)
    try:
        if place.bundles.preload(place.sessions):
            settle()
        with _limited(place.settings):
            return job(place, *values)
    except MemoryError:
        raise TooMuchError(
            f"this needs more than {place.settings.request_memory_mb} MB of memory and was stopped; nothing was "
            "stored: send less at once"
        ) from None
    except SQLAlchemyError as error:
        raise of_storage(error) from None


def settle() -> None:
    """Leave what is loaded out of garbage collections: to walk through it again and again takes a quarter of a job."""
    gc.collect()
    gc.freeze()


def _give_back() -> None:
    """Give memory that a large request needed back to the system (glibc)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


@contextlib.contextmanager
def _limited(settings: Settings) -> Iterator[None]:
    """Limit the processor time and the memory that a job may take beyond what the process has."""
    try:
        resource: Any = importlib.import_module("resource")
    except ImportError:  # no Unix: only the wall clock limits
        yield
        return
    spent = int(time.process_time()) + 1
    _, most_cpu = resource.getrlimit(resource.RLIMIT_CPU)
    _, most_data = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_CPU, (spent + settings.request_cpu_s, most_cpu))
    used = _data_bytes()
    if used:
        resource.setrlimit(resource.RLIMIT_DATA, (used + settings.request_memory_mb * MB, most_data))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CPU, (most_cpu, most_cpu))
        resource.setrlimit(resource.RLIMIT_DATA, (most_data, most_data))
        _jobs[0] += 1
        if _jobs[0] % TRIM_EVERY == 0 or _data_bytes() > used + LARGE:
            _give_back()


def _data_bytes() -> int:
    """Private memory of this process (Linux); 0 where the system does not say it."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:")), 0)
