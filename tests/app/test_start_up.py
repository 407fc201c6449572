"""What commands and the server import: heavy libraries wait until something needs them."""

import json
import subprocess
import sys

import pytest
import typer.main
from click import Command, Group
from pwdlib.hashers.argon2 import Argon2Hasher

from app.cli import app
from tests.app.conftest import PRODUCTION_PASSWORDS

HEAVY = ("xgboost", "sklearn", "scipy", "onnxruntime", "torch", "flwr", "pandas", "fastapi", "sqlalchemy", "httpx")


def commands(command: Command, words: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    below = command.commands.items() if isinstance(command, Group) else ()
    return [words, *(line for name, sub in below for line in commands(sub, (*words, name)))]


def loaded(program: str) -> set[str]:
    """Top-level packages that a program has imported at its end."""
    text = f"{program}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.slow
def test_help_of_every_command_imports_nothing_heavy() -> None:
    lines = commands(typer.main.get_command(app))
    assert ("federate", "kit", "create") in lines
    program = "\n".join(
        [
            "from typer.testing import CliRunner",
            "from app.cli import app",
            f"for words in {[list(words) for words in lines]!r}:",
            "    answer = CliRunner().invoke(app, [*words, '--help'])",
            "    assert answer.exit_code == 0, answer.output",
        ]
    )
    assert not loaded(program) & set(HEAVY)


@pytest.mark.slow
@pytest.mark.parametrize("module", ["app.main", "app.self_check", "models.bundle"])
def test_serving_and_the_self_check_do_without_what_they_do_not_use(module: str) -> None:
    assert not loaded(f"import {module}") & {"sklearn", "scipy.stats", "torch", "flwr", "pandas", "alembic"}


def test_backup_and_settings_do_without_scipy() -> None:
    assert not loaded("import app.backups.archive, app.settings") & set(HEAVY)


def test_passwords_in_production_cost_what_the_library_recommends() -> None:
    (hasher,) = PRODUCTION_PASSWORDS.hashers
    assert isinstance(hasher, Argon2Hasher)
    parameters = PRODUCTION_PASSWORDS.hash("a password").split("$")[3]
    assert parameters == "m=65536,t=3,p=4"
