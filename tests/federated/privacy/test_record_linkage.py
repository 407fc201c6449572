"""Women who stand at two sites."""

import importlib.util
import os
from pathlib import Path

import pytest

from models.errors import InputError
from models.synthetic.datasets import write_uci
from tests.conftest import need

if importlib.util.find_spec("flwr") is not None:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    from federated.privacy.record_linkage import common, identifiers, marks, seal, unseal
    from federated.sites.data import undivided


@pytest.fixture(autouse=True)
def _flower() -> None:
    need(importlib.util.find_spec("flwr") is not None, "training is not installed")


def test_the_key_is_for_its_reader_only() -> None:
    first, second, third = (X25519PrivateKey.generate() for _ in range(3))
    key = os.urandom(32)
    sealed = seal(key, first, second.public_key().public_bytes_raw())
    assert unseal(sealed, second, first.public_key().public_bytes_raw()) == key
    with pytest.raises(InvalidTag):
        unseal(sealed, third, first.public_key().public_bytes_raw())


def test_the_same_women_have_the_same_marks_under_one_key_only(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_uci(tmp_path / name, women=15, seed=seed)
    a, b, c = (undivided(name, "ctg", tmp_path / name) for name in "abc")
    key = os.urandom(32)
    told = {site.name: set(marks(site, key).values()) for site in (a, b, c)}
    assert common(told) == {("a", "b"): told["a"]}
    assert len(told["a"]) == 15
    assert not set(marks(a, os.urandom(32)).values()) & told["a"]
    assert all(len(mark) == 32 for mark in told["a"])


def test_an_identifier_speaks_where_the_hospital_has_one(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 2)):
        write_uci(tmp_path / name, women=15, seed=seed)
    a, b = (undivided(name, "ctg", tmp_path / name) for name in "ab")
    (tmp_path / "a" / "identifiers.csv").write_text(f"group,identifier\n{a.groups[3]},Jane  DOE 1990\n")
    (tmp_path / "b" / "identifiers.csv").write_text(f"group,identifier\n{b.groups[7]},jane doe 1990\n")
    key = os.urandom(32)
    ours, theirs = marks(a, key), marks(b, key)
    assert set(ours.values()) & set(theirs.values()) == {ours[a.groups[3]]} == {theirs[b.groups[7]]}


def test_another_file_of_identifiers_is_refused(tmp_path: Path) -> None:
    (tmp_path / "identifiers.csv").write_text("name\nx\n")
    with pytest.raises(InputError, match="columns group and identifier are needed"):
        identifiers(tmp_path)
    assert identifiers(tmp_path / "none") == {}
