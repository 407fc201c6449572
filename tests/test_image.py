"""The serving image: built with Debian's buildah, small, and migrated and served as its plain user."""

from pathlib import Path

import pytest

from benchmarks import image
from tests.conftest import need

pytestmark = [pytest.mark.soak, pytest.mark.network]
MOST_MB = 700


def test_the_image_is_small_and_serves(tmp_path: Path) -> None:
    need(not image.hindrance(), image.hindrance())
    outcome = image.build(tmp_path)
    assert outcome.user == "fetal-health"
    assert "schema at head" in outcome.migrated
    assert "PROBLEM" not in outcome.checked
    assert outcome.ready.startswith("200 ")
    assert outcome.megabytes <= MOST_MB
