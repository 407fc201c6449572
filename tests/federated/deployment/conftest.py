"""A federation of real processes over TLS on loopback, once for the tests that look at it."""

import importlib.util
from collections.abc import Iterator

import pytest

from tests.conftest import need


@pytest.fixture(scope="module")
def loopback(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Loopback"]:  # type: ignore[name-defined] # noqa: F821
    """A served federation of three hospitals whose nodes are connected."""
    need(importlib.util.find_spec("flwr") is not None, "training is not installed")
    from benchmarks.loopback import Loopback

    made = Loopback(tmp_path_factory.mktemp("federation"))
    try:
        made.open()
        yield made
    finally:
        made.stop()
