"""A manifest is input: whatever stands in it, a bundle is refused in one line, and nothing is written elsewhere."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from app.bundles.service import BundleRegistry
from app.database import make_engine, migrate, session_factory
from app.transactions import unit_of_work
from models.bundle import MANIFEST, Bundle, shipped
from models.errors import BundleError

MANIFEST_TEXT = (shipped() / MANIFEST).read_text(encoding="utf-8")
ODD: tuple[Any, ...] = (None, 7, -1.5, "", "\x00", "../../evil", "x" * 999, [], {}, [[]], {"../evil.txt": "0"}, True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "candidate"
    made.mkdir()
    for path in shipped().iterdir():
        if path.is_file():
            (made / path.name).write_bytes(path.read_bytes())
    return made


def changed(chance: random.Random, value: Any) -> Any:
    """A JSON value with one part of it replaced or removed."""
    if chance.random() < 0.3 or not isinstance(value, dict | list) or not value:
        return chance.choice(ODD)
    if isinstance(value, list):
        place = chance.randrange(len(value))
        return [*value[:place], changed(chance, value[place]), *value[place + 1 :]]
    name = chance.choice(list(value))
    if chance.random() < 0.2:
        return {key: part for key, part in value.items() if key != name}
    return value | {name: changed(chance, value[name])}


def test_a_name_that_leaves_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    manifest = json.loads(MANIFEST_TEXT)
    (tmp_path / "evil.txt").write_text("x")
    manifest["files"]["../evil.txt"] = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="lists no files of this folder"):
        Bundle(folder)


def test_changed_manifests_are_registered_or_refused_in_one_line(folder: Path, tmp_path: Path) -> None:
    chance = random.Random(3)
    engine = make_engine(f"sqlite:///{tmp_path / 'a.db'}")
    migrate(engine)
    sessions = session_factory(engine)
    registry = BundleRegistry(tmp_path / "home")
    refused: list[str] = []
    original = json.loads(MANIFEST_TEXT)
    for _ in range(150):
        (folder / MANIFEST).write_text(json.dumps(changed(chance, original)))
        try:
            with unit_of_work(sessions) as session:
                registry.register(session, folder)
        except BundleError as error:
            refused.append(str(error))
    engine.dispose()
    assert len(refused) > 30
    assert not [line for line in refused if "\n" in line]
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("a.db")) == ["candidate", "home"]


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "[" * 100_000, '{"format": 1}', '{"format": 1, "files": []}'])
def test_what_is_no_manifest_is_refused(folder: Path, text: str) -> None:
    (folder / MANIFEST).write_text(text)
    with pytest.raises(BundleError):
        Bundle(folder)
