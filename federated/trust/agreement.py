"""What a hospital approves: one bundle of a plan and the code that carries it out, named by one hash.

The bundle holds the plan and the *hash* of the code, not the code: a hospital runs what it has installed itself and
nothing that was delivered. Both sides build it from their own files; the same hash means the same plan and code.
"""

import io
import json
import zipfile
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from federated.plan import Plan

ROOMS = ("federated", "models")
KINDS = {".py", ".json", ".toml"}
# What decides over bytes on the wire and numbers in a model.
LIBRARIES = ("flwr", "numpy", "xgboost")


@lru_cache(maxsize=1)
def code_hash() -> str:
    """SHA-256 over the installed code of `federated` and `models`, bundles of weights left out."""
    digest = sha256()
    for room in ROOMS:
        top = Path(str(files(room)))
        for path in sorted(top.rglob("*")):
            inside = path.relative_to(top)
            if path.suffix in KINDS and inside.parts[0] not in {"pretrained", "__pycache__"}:
                digest.update(f"{room}/{inside.as_posix()}\0".encode() + sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def library_versions() -> dict[str, str]:
    """Of the libraries that both sides must share."""
    return {name: version(name) for name in LIBRARIES}


def contents(plan: Plan, code: str) -> dict[str, bytes]:
    """The bundle's files.

    Parameters
    ----------
    plan : Plan
    code : str
        `code_hash` of the code that it is for.
    """
    app = """[project]
name = "fetal-health-run"
version = "1.0.0"
license = "Apache-2.0"
[tool.flwr.app]
publisher = "fetal-health"
[tool.flwr.app.components]
serverapp = "federated.server_app:app"
clientapp = "federated.client_app:app"
"""
    shown: dict[str, Any] = {"code": code, "libraries": library_versions()}
    return {
        "pyproject.toml": app.encode(),
        "plan.json": plan.model_dump_json(indent=1).encode(),
        "code.json": json.dumps(shown, indent=1, sort_keys=True).encode(),
    }


def build(plan: Plan) -> bytes:
    """The bundle of a plan and the installed code, as Flower's app bundle (FAB): a zip, the same bytes everywhere."""
    parts = contents(plan, code_hash())
    listed = "\n".join(f"{name},{sha256(part).hexdigest()},{8 * len(part)}" for name, part in parts.items())
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name, part in {**parts, ".info/CONTENT": listed.encode()}.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), part)
    return made.getvalue()


def bundle_hash(plan: Plan) -> str:
    """SHA-256 of `build`: what hospitals approve and Flower names a run's code by."""
    return sha256(build(plan)).hexdigest()
