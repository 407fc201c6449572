"""Write the reference pages that come from the code: ``python docs/generate.py``.

The pages are committed, so that they can be read without a build. A test writes them again and compares.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import typer

REFERENCE = Path(__file__).parent / "reference"
WRITTEN = "This page is written by `docs/generate.py` from the code. Change the code, then run `make docs`."
METHODS = ("get", "post", "put", "patch", "delete")


def command_line() -> str:
    """Markdown of every command with its arguments and options."""
    from app.cli import app
    from studies.__main__ import app as studies_app

    lines = ["# Command line", "", WRITTEN, "", "`.venv/bin` must be on the path, or write `.venv/bin/fetal-health`."]
    lines += ["Expected errors are one line and exit code 2."]
    for name, application in (("fetal-health", app), ("python -m studies", studies_app)):
        lines += ["", f"## {name}"]
        command = typer.main.get_command(application)
        lines += _commands(command, click.Context(command, info_name=name))
    return "\n".join(lines) + "\n"


def _commands(command: Any, context: click.Context) -> list[str]:
    """Sections of a command, or of all commands of a group."""
    if hasattr(command, "list_commands"):
        lines: list[str] = []
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            lines += _commands(child, click.Context(child, info_name=name, parent=context))
        return lines
    parameters = [parameter for parameter in command.params if getattr(parameter, "name", "") != "help"]
    words = [context.command_path, *(_argument(p) for p in parameters if p.param_type_name == "argument")]
    lines = ["", f"### {context.command_path}", "", _cell(command.help or ""), "", "```", " ".join(words), "```"]
    if parameters:
        lines += ["", "| parameter | meaning | default |", "|---|---|---|"]
        lines += [_row(parameter) for parameter in parameters]
    return lines


def _argument(parameter: Any) -> str:
    name = (parameter.metavar or parameter.name or "").upper()
    return name if parameter.required else f"[{name}]"


def _row(parameter: Any) -> str:
    argument = parameter.param_type_name == "argument"
    spelling = _argument(parameter) if argument else ", ".join([*parameter.opts, *parameter.secondary_opts])
    meaning = _cell(getattr(parameter, "help", None) or "")
    if parameter.envvar:
        meaning = f"{meaning} Also from `{parameter.envvar}`.".strip()
    needed = "required" if parameter.required else ""
    default = needed if parameter.default is None or callable(parameter.default) else f"`{parameter.default}`"
    return f"| `{spelling}` | {meaning} | {default} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def rest() -> str:
    """Markdown of the routes of the REST API and of the probes."""
    from app.database import make_engine, migrate
    from app.main import create_app
    from app.settings import Settings

    lines = [
        "# REST API",
        "",
        WRITTEN,
        "",
        "A running application shows every request and answer in full under `/api`.",
        "Its OpenAPI document is `/api/v1/openapi.json`.",
        "Requests carry `Authorization: Bearer TOKEN`; a token is made on the page *Account*.",
        "Errors follow RFC 9457 (`application/problem+json`).",
        "A `POST` that creates something may carry an `Idempotency-Key`: "
        "the same request with the same key is done once.",
        "Probes need no token: `/health/live`, `/health/ready` (database and bundle) and `/metrics` (Prometheus).",
        "",
        "| route | meaning |",
        "|---|---|",
    ]
    with TemporaryDirectory() as home:
        settings = Settings(home=Path(home))
        settings.database_url = None  # never the installation of whoever builds the pages
        migrate(make_engine(settings.database))
        paths = create_app(settings).openapi()["paths"]
    for path, operations in sorted(paths.items()):
        if path.startswith("/api/v1/"):
            for method in METHODS:
                if method in operations:
                    meaning = _cell(operations[method].get("description") or operations[method].get("summary", ""))
                    lines.append(f"| `{method.upper()} {path}` | {meaning} |")
    return "\n".join(lines) + "\n"


PAGES = {"command-line.md": command_line, "rest.md": rest}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (REFERENCE / name).write_text(page(), encoding="utf-8")
        print(f"written: {REFERENCE / name}")
