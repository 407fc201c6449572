"""What a hospital approves."""

import io
import zipfile
from pathlib import Path

import pytest

from federated.plan import Plan, load, shipped_plans
from federated.trust import agreement

PLAN = load(shipped_plans()["synthetic"])


def test_the_same_plan_and_code_have_one_hash_and_any_other_plan_another() -> None:
    assert agreement.bundle_hash(PLAN) == agreement.bundle_hash(Plan.model_validate_json(PLAN.model_dump_json()))
    assert agreement.bundle_hash(PLAN) != agreement.bundle_hash(PLAN.model_copy(update={"seed": PLAN.seed + 1}))


def test_other_code_or_another_library_gives_another_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    before = agreement.bundle_hash(PLAN)
    with monkeypatch.context() as patched:
        patched.setattr(agreement, "code_hash", lambda: "0" * 64)
        assert agreement.bundle_hash(PLAN) != before
    with monkeypatch.context() as patched:
        patched.setattr(agreement, "library_versions", lambda: {"flwr": "1.99.0"})
        assert agreement.bundle_hash(PLAN) != before
    assert agreement.bundle_hash(PLAN) == before


def test_the_code_is_hashed_file_by_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for room in agreement.ROOMS:
        (tmp_path / room / "pretrained").mkdir(parents=True)
        (tmp_path / room / "a.py").write_text("1")
    monkeypatch.setattr(agreement, "files", lambda room: tmp_path / room)

    def hashed() -> str:
        agreement.code_hash.cache_clear()
        return agreement.code_hash()

    try:
        first = hashed()
        (tmp_path / "models" / "pretrained" / "ctg.json").write_text("{}")  # weights are no code
        assert hashed() == first
        (tmp_path / "models" / "a.py").write_text("2")
        second = hashed()
        (tmp_path / "models" / "a.py").rename(tmp_path / "models" / "b.py")
        assert len({first, second, hashed()}) == 3
    finally:
        agreement.code_hash.cache_clear()


def test_no_code_is_delivered() -> None:
    names = zipfile.ZipFile(io.BytesIO(agreement.build(PLAN))).namelist()
    assert not [name for name in names if name.endswith((".py", ".so", ".pyc"))]
    assert {"plan.json", "code.json"} < set(names)
