"""Files that are whole or not there."""

import json
from pathlib import Path

import pytest

from federated.files import write_atomic, write_json_atomic, write_secret


def test_a_file_is_replaced_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    write_json_atomic(path, {"n": 1})

    def full(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomic(path, b"{}")
    assert json.loads(path.read_text()) == {"n": 1}


def test_a_secret_is_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("old")
    write_secret(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o077 == 0
