"""The floors of the house: an arrow only points down. And what must never be in the tree."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# What the application may use of `federated`: neither Flower nor torch is imported there.
FEDERATED_FOR_APP = {
    "cli",
    "plan",
    "coordinator.folder",
    "coordinator.kit",
    "run.control",
    "run.lock",
    "run.folder",
    "candidate.gate",
    "run.status",
    "sites.partition",
    "trust.agreement",
    "trust.kit",
}


def modules(room: str) -> Iterator[tuple[Path, frozenset[str]]]:
    for path in sorted((ROOT / room).rglob("*.py")):
        yield path, names_in(path)


@cache
def names_in(path: Path) -> frozenset[str]:
    """Every name that a file imports; a file is read once, however many rules look at it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


def imported_when_run(tree: ast.AST) -> set[str]:
    """Names that a module imports, also inside functions, without those for type checkers only."""
    names: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        else:
            names |= imported_when_run(node)
    return names


@cache
def imports_of(package: str) -> dict[str, set[str]]:
    """The modules of a package, each with the modules of the same package that it imports."""
    paths = {path: path.relative_to(ROOT).with_suffix("") for path in sorted((ROOT / package).rglob("*.py"))}
    named = {".".join(part for part in name.parts if part != "__init__"): path for path, name in paths.items()}
    return {
        module: imported_when_run(ast.parse(path.read_text(encoding="utf-8"))) & set(named) - {module, package}
        for module, path in named.items()
    }


def assert_no_circle(graph: dict[str, set[str]]) -> None:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(f"imports form a circle: {' <- '.join(error.args[1])}") from None


@pytest.mark.parametrize("package", ["app", "federated", "models", "studies"])
def test_files_import_each_other_without_a_circle(package: str) -> None:
    assert_no_circle(imports_of(package))


def test_folders_of_federated_import_each_other_without_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for module, imported in imports_of("federated").items():
        if module != "federated":
            folder = module.split(".")[1]
            graph.setdefault(folder, set()).update({name.split(".")[1] for name in imported} - {folder})
    assert_no_circle(graph)


def test_coordinator_and_hospital_meet_only_in_trust() -> None:
    for ours, theirs in (("coordinator", "hospital"), ("hospital", "coordinator")):
        for path, names in modules(f"federated/{ours}"):
            assert not [name for name in names if name.startswith(f"federated.{theirs}")], path


def test_sites_know_no_flower() -> None:
    for path, names in modules("federated/sites"):
        assert not [name for name in names if name.split(".")[0] == "flwr"], path


def test_private_names_of_flower_are_imported_in_one_module() -> None:
    public = ("flwr.app.", "flwr.clientapp.", "flwr.serverapp.", "flwr.simulation.run_simulation")
    private = ("flwr.clientapp.mod.", "flwr.serverapp.strategy.strategy_utils.")
    for room in ("federated", "benchmarks", "tests"):
        for path, names in modules(room):
            for name in (name for name in names if name.split(".")[0] == "flwr"):
                assert name.startswith(public), (path, name)
                assert not name.startswith(private), (path, name)


def test_nobody_imports_studies() -> None:
    for room in ("app", "federated", "models", "benchmarks", "migrations", "plans"):
        for path, names in modules(room):
            assert not [name for name in names if name.split(".")[0] == "studies"], path


def test_commands_stand_on_top_of_the_application() -> None:
    for path, names in modules("app"):
        if path.name != "cli.py" and path.parent.name != "commands":
            assert not [name for name in names if name.startswith("app.commands")], path


def test_models_know_nothing_of_web_database_or_flower() -> None:
    banned = ("app", "federated", "fastapi", "starlette", "sqlalchemy", "flwr", "ray")
    for path, names in modules("models"):
        assert not [name for name in names if name.split(".")[0] in banned], path


def test_federated_does_not_import_the_application() -> None:
    for path, names in modules("federated"):
        assert not [name for name in names if name.split(".")[0] in {"app", "fastapi", "sqlalchemy"}], path


def test_the_application_imports_only_light_rooms_of_federated() -> None:
    for path, names in modules("app"):
        for name in names:
            parts = name.split(".")
            assert parts[0] not in {"flwr", "torch", "ray"}, path
            if parts[0] == "federated":
                room = ".".join(parts[1:])
                assert any(f"{room}.".startswith(f"{light}.") for light in FEDERATED_FOR_APP), (path, name)


def test_torch_stays_in_network_and_training() -> None:
    allowed = {"network.py", "augmentation.py", "proximal.py", "training.py", "private_training.py", "export.py"}
    for path, names in modules("models"):
        if any(name.split(".")[0] in {"torch", "safetensors"} for name in names):
            assert path.name in allowed, path


@pytest.mark.slow
def test_the_server_process_has_not_loaded_training() -> None:
    code = (
        "import sys, app.main, app.cli, federated.run.status; from models.bundle import Bundle, shipped; "
        "Bundle(shipped()).warm(); "
        "bad = {'torch', 'flwr', 'ray', 'matplotlib'} & set(sys.modules); assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd="/")


@pytest.mark.slow
def test_pandas_is_used_nowhere_and_plots_are_drawn_for_documents_only() -> None:
    for room in ("app", "federated", "models", "studies"):
        for path, names in modules(room):
            assert not [name for name in names if name.split(".")[0] == "pandas"], path
            if [name for name in names if name.split(".")[0] == "matplotlib"]:
                assert room == "studies", path
                assert path.name == "plots.py", path


def test_nothing_is_loaded_from_outside() -> None:
    allowed = re.compile(r'xmlns="http://www\.w3\.org/2000/svg"')
    for folder, pattern in (("templates", "*.html"), ("app/static", "*.css"), ("app/static", "*.js")):
        for path in (ROOT / folder).glob(pattern):
            assert "://" not in allowed.sub("", path.read_text(encoding="utf-8")), path


def test_templates_hold_no_inline_script_or_style() -> None:
    for path in (ROOT / "templates").glob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"<script(?![^>]*\bsrc=)", text), path
        assert not re.search(r"\sstyle=|<style|\son\w+=", text), path


def test_every_setting_is_documented() -> None:
    from app.settings import Settings

    text = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    for name in Settings.model_fields:
        variable = "DATABASE_URL" if name == "database_url" else f"FETAL_HEALTH_{name.upper()}"
        assert f"`{variable}`" in text, variable


@pytest.mark.parametrize("word", [r"pickle\.load", r"(?<!safetensors\.)torch\.load\(", r"create_all\(", "joblib"])
def test_no_unsafe_loading(word: str) -> None:
    for room in ("app", "federated", "models"):
        for path in (ROOT / room).rglob("*.py"):
            assert not re.search(word, path.read_text(encoding="utf-8")), path


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 90
