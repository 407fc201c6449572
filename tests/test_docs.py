"""Whatever the documentation names exists: files, tests, commands and their options, settings, targets of make."""

import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
import typer

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
FOLDERS = "app|benchmarks|docs|federated|migrations|models|plans|studies|templates|tests"
OUTSIDE = re.compile(r"<(?:link|script|img)\b[^>]*\b(?:href|src)=\"?(?:https?:)?//[^>]*>")


def identifier(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


every_page = pytest.mark.parametrize("page", PAGES, ids=identifier)


@lru_cache(maxsize=1)
def code_names() -> set[str]:
    """Names of all files of the tree, and of all tests."""
    folders = [ROOT / name for name in FOLDERS.split("|")]
    names = {path.name for folder in folders for path in folder.rglob("*") if path.is_file()}
    names |= {path.name for path in ROOT.iterdir() if path.is_file()}
    for path in (ROOT / "tests").rglob("test_*.py"):
        names |= set(re.findall(r"def (test_\w+)", path.read_text(encoding="utf-8")))
    return names


def in_backticks(text: str) -> list[str]:
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)


def command_lines(text: str) -> Iterator[list[str]]:
    """Every use of our commands, as words: in backticks, and in blocks also after a prompt or a setting."""
    blocks = [line for block in re.findall(r"^ *```\n(.*?)^ *```", text, re.M | re.S) for line in block.splitlines()]
    for line in [*in_backticks(text), *blocks]:
        for part in re.split(r"&& |; |\| ", line.split("  #")[0]):
            found = re.match(
                r"(?:\$ )?(?:[A-Z_]+=\S+ )*((?:\.venv/bin/)?fetal-health|python -m studies|make)(?: (.*))?$", part
            )
            if found:
                yield [found[1].removeprefix(".venv/bin/"), *(found[2] or "").split()]


@every_page
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@every_page
def test_named_files_and_tests_exist(page: Path) -> None:
    for name in in_backticks(page.read_text(encoding="utf-8")):
        path, _, test = name.partition("::")
        if re.fullmatch(rf"(?:{FOLDERS})/[\w./*-]*", path):
            assert list(ROOT.glob(path.rstrip("/"))), name
        elif re.fullmatch(r"[\w.-]+\.(?:py|md|html|js|css)|test_\w+", path) or path in {"Makefile", "Dockerfile"}:
            assert path in code_names(), name
        if test:
            assert test in code_names(), name


@every_page
def test_named_commands_and_options_exist(page: Path) -> None:
    from app.cli import app
    from studies.__main__ import app as studies_app

    programs = {"fetal-health": app, "python -m studies": studies_app}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    for program, *words in command_lines(page.read_text(encoding="utf-8")):
        if program == "make":
            named = [word for word in words if re.fullmatch(r"[a-z-]+", word)]
            assert set(named[:1]) <= targets, named
        else:
            check_command(typer.main.get_command(programs[program]), program, words)


def check_command(command: Any, program: str, words: list[str]) -> None:
    """Follow the words down to a command; its options are its own."""
    words = [word for word in words if word != "|"]
    while hasattr(command, "list_commands") and words and re.fullmatch(r"[a-z-]+", words[0]) and words[0][0] != "-":
        child = command.get_command(click.Context(command), words[0])
        assert child is not None, f"{program} {' '.join(words)}"
        command, words = child, words[1:]
    known = {option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]}
    for word in words:
        if word.startswith("--"):
            assert word.split("=")[0].rstrip("`,.") in known | {"--help"}, f"{program}: {word}"


@every_page
def test_named_modules_exist(page: Path) -> None:
    for name in re.findall(r"python -m ([a-z_.]+[a-z_])", page.read_text(encoding="utf-8")):
        path = ROOT / name.replace(".", "/")
        assert any(file.exists() for file in (path.with_suffix(".py"), path / "__main__.py")), name


@every_page
def test_named_settings_exist(page: Path) -> None:
    from app.settings import Settings

    names = {f"FETAL_HEALTH_{name.upper()}" for name in Settings.model_fields}
    for field in Settings.model_fields.values():
        names |= {str(choice) for choice in getattr(field.validation_alias, "choices", [])}
    for name in re.findall(r"FETAL_HEALTH_[A-Z_]+", page.read_text(encoding="utf-8")):
        assert name in names, name


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["command-line.md", "rest.md"])
def test_reference_pages_are_those_of_the_code(name: str) -> None:
    written = (DOCS / "reference" / name).read_text(encoding="utf-8")
    assert written == generator().PAGES[name](), "run `make docs`"


def test_every_parameter_of_a_command_says_what_it_means() -> None:
    page = (DOCS / "reference" / "command-line.md").read_text(encoding="utf-8")
    silent = [line for line in page.splitlines() if re.match(r"\| `[^`]+` \|\s+\|", line)]
    assert silent == []


def test_every_decision_has_a_status_a_date_and_what_enforces_it() -> None:
    for page in (DOCS / "adr").glob("0*.md"):
        text = page.read_text(encoding="utf-8")
        assert re.search(r"^Status: [a-z ]+\. Date: \d{4}-\d\d-\d\d\.", text, re.M), page
        assert "**Enforced by**" in text, page


@pytest.mark.slow
def test_the_documentation_builds_strictly_and_loads_nothing_from_outside(tmp_path: Path) -> None:
    site = tmp_path / "site"
    line = [
        sys.executable,
        "-m",
        "sphinx",
        "--quiet",
        "--fail-on-warning",
        "--keep-going",
        "-d",
        str(tmp_path / "trees"),
    ]
    done = subprocess.run([*line, str(DOCS), str(site)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = list(site.rglob("*.html"))
    assert len(pages) > len(list(DOCS.rglob("*.md")))
    for page in pages:
        assert not OUTSIDE.search(page.read_text(encoding="utf-8")), page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(?:https?:)?//|@import", sheet.read_text(encoding="utf-8")), sheet
    shutil.rmtree(site)
