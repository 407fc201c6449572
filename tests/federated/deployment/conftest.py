"""A federation of real processes over TLS on loopback, once for the tests that only look at it."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.datasets.synthetic import MARK, write_uci
from tests.conftest import need

HOSPITALS = ("anne", "luke", "mary")


def plan_text(name: str, rounds: int = 3, participation: str = "", sites: tuple[str, ...] = HOSPITALS) -> str:
    """A short plan between hospitals."""
    named = ", ".join(f'"{site}"' for site in sites)
    return f"""name = "{name}"
seed = 3
synthetic = true
[ctg]
rounds = {rounds}
calibration_folds = 2
[participation]
sites = [{named}]
approve_within_s = 40
connect_within_s = 40
{participation}
"""


def write_data(folder: Path, seed: int) -> Path:
    """A hospital's synthetic table."""
    write_uci(folder, women=30, seed=seed)
    (folder / MARK).touch()
    return folder


@pytest.fixture(scope="module")
def loopback(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Loopback"]:  # type: ignore[name-defined] # noqa: F821
    """A served federation of three hospitals whose nodes are connected."""
    need(importlib.util.find_spec("flwr") is not None, "training is not installed")
    from benchmarks.loopback import Loopback

    made = Loopback(tmp_path_factory.mktemp("federation"))
    try:
        made.serve()
        for number, name in enumerate(HOSPITALS):
            made.join(name, write_data(made.folder / "data" / name, number + 1))
        made.nodes(*HOSPITALS)
        yield made
    finally:
        made.stop()
