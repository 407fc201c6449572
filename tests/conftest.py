"""Shared fixtures: sockets are off, homes are temporary, the bundle is the shipped one."""

import fcntl
import gc
import os

# One thread each: two test processes share the cores, and networks of the tests are too small to be divided.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
os.environ.setdefault("FLWR_DISABLE_UPDATE_CHECK", "1")

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from models.bundle import Bundle

STRICT = os.environ.get("CI_STRICT") == "1"


def need(condition: bool, reason: str) -> None:
    """Skip with a reason on a user's machine; fail where CI promises that everything is there."""
    if not condition:
        if STRICT:
            pytest.fail(f"CI_STRICT: {reason}")
        pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Libraries and tests stay loaded: collecting garbage need not walk through them again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


# Files that take longest begin first, so that no process is left alone with one of them at the end.
LONGEST = (
    "federated/test_acceptance.py",
    "federated/shared/test_shared_job.py",
    "federated/run/test_job.py",
    "federated/privacy/test_masked_training.py",
    "federated/test_survival.py",
    "tests/test_packaging.py",
    "ultrasound/test_training.py",
    "fusion/test_stored_pairs.py",
    "shared/test_shared.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest."""

    def rank(item: pytest.Item) -> int:
        path = item.path.as_posix()
        return next((place for place, name in enumerate(LONGEST) if path.endswith(name)), len(LONGEST))

    items.sort(key=rank)


@pytest.fixture(autouse=True)
def _no_sockets(request: pytest.FixtureRequest) -> Iterator[None]:
    import pytest_socket

    if request.node.get_closest_marker("network"):
        yield
        return
    pytest_socket.disable_socket(allow_unix_socket=True)
    yield
    pytest_socket.enable_socket()


@pytest.fixture(scope="session")
def bundle() -> "Bundle":
    """The bundle that ships."""
    from models.bundle import Bundle, shipped  # heavy: only for tests that ask for it

    return Bundle(shipped()).warm()


WOMEN, EXAMINATIONS, SEED = 40, 12, 1


@pytest.fixture(scope="session")
def ctg_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table of `data` alone, which is made in no time."""
    from models.synthetic import datasets

    folder = tmp_path_factory.mktemp("data") / "ctg"
    datasets.write_uci(folder, women=WOMEN, seed=SEED)
    (folder.parent / datasets.MARK).touch()
    return folder


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small synthetic data sets in the official layouts. The pictures take two seconds: made by one process for all."""
    from models.synthetic import datasets

    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "data"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            made = folder.with_suffix(".part")
            datasets.write(made, women=WOMEN, examinations=EXAMINATIONS, seed=SEED)
            made.rename(folder)
    return folder
