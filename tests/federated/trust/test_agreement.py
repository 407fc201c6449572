"""What a hospital approves."""

import io
import shutil
import zipfile
from pathlib import Path

import pytest

from federated.plan import Plan, load, shipped_plans
from federated.trust import agreement

ROOT = Path(__file__).parents[3]
PLAN = load(shipped_plans()["synthetic"])


def test_the_same_plan_and_code_have_one_hash_and_any_other_plan_another() -> None:
    assert agreement.agreement_hash(PLAN) == agreement.agreement_hash(Plan.model_validate_json(PLAN.model_dump_json()))
    assert agreement.agreement_hash(PLAN) != agreement.agreement_hash(PLAN.model_copy(update={"seed": PLAN.seed + 1}))


def test_other_code_or_another_library_gives_another_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    before = agreement.agreement_hash(PLAN)
    with monkeypatch.context() as patched:
        patched.setattr(agreement, "code_hash", lambda: "0" * 64)
        assert agreement.agreement_hash(PLAN) != before
    with monkeypatch.context() as patched:
        patched.setattr(agreement, "library_versions", lambda: {"flwr": "1.99.0"})
        assert agreement.agreement_hash(PLAN) != before
    assert agreement.agreement_hash(PLAN) == before


def test_the_code_is_hashed_file_by_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in agreement.PACKAGES:
        (tmp_path / package / "pretrained").mkdir(parents=True)
        (tmp_path / package / "a.py").write_text("1")
    monkeypatch.setattr(agreement, "files", lambda package: tmp_path / package)

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


def test_studies_are_not_part_of_the_approved_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ignore = shutil.ignore_patterns("__pycache__", "pretrained")
    for package in (*agreement.PACKAGES, "studies"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignore)
    monkeypatch.setattr(agreement, "files", lambda package: tmp_path / package)

    def changed(file: str) -> str:
        path = tmp_path / file
        path.write_text(path.read_text(encoding="utf-8") + "\n# One more line.\n", encoding="utf-8")
        agreement.code_hash.cache_clear()
        return agreement.code_hash()

    agreement.code_hash.cache_clear()
    try:
        before = agreement.code_hash()
        assert changed("studies/write.py") == before
        assert changed("federated/plan.py") != before
    finally:
        agreement.code_hash.cache_clear()


def test_no_code_is_delivered() -> None:
    names = zipfile.ZipFile(io.BytesIO(agreement.build_agreement(PLAN))).namelist()
    assert not [name for name in names if name.endswith((".py", ".so", ".pyc"))]
    assert {"plan.json", "code.json"} < set(names)
