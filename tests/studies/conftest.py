"""Synthetic rows for the studies."""

from pathlib import Path

import pytest

from models.datasets import uci_ctg


@pytest.fixture(scope="session")
def table(ctg_data: Path) -> uci_ctg.CtgTable:
    """A small table in the official layout."""
    return uci_ctg.read(ctg_data)
