"""The agreement that a hospital approves: a plan together with the code that carries it out, named by one hash.

An agreement holds the plan and the *hash* of the code, not the code: a hospital runs what it has installed itself, and
nothing that was delivered. Both sides build the agreement from their own files. The same hash means the same plan and
the same code.
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

PACKAGES = ("federated", "models")
KINDS = {".py", ".json", ".toml"}
# Libraries that determine the bytes of messages and the numbers of a model.
LIBRARIES = ("flwr", "numpy", "xgboost")


@lru_cache(maxsize=1)
def code_hash() -> str:
    """SHA-256 over the installed code of `federated` and `models`, without bundles of weights."""
    digest = sha256()
    for package in PACKAGES:
        top = Path(str(files(package)))
        for path in sorted(top.rglob("*")):
            inside = path.relative_to(top)
            if path.suffix in KINDS and inside.parts[0] not in {"pretrained", "__pycache__"}:
                digest.update(f"{package}/{inside.as_posix()}\0".encode() + sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def library_versions() -> dict[str, str]:
    """Versions of the libraries that must be the same on both sides."""
    return {name: version(name) for name in LIBRARIES}


def agreement_files(plan: Plan, code: str) -> dict[str, bytes]:
    """The files of an agreement.

    Parameters
    ----------
    plan : Plan
    code : str
        `code_hash` of the code that the agreement is about.
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
    about_code: dict[str, Any] = {"code": code, "libraries": library_versions()}
    return {
        "pyproject.toml": app.encode(),
        "plan.json": plan.model_dump_json(indent=1).encode(),
        "code.json": json.dumps(about_code, indent=1, sort_keys=True).encode(),
    }


def build_agreement(plan: Plan) -> bytes:
    """The agreement as Flower's app bundle (FAB): a zip file, with the same bytes everywhere."""
    parts = agreement_files(plan, code_hash())
    listed = "\n".join(f"{name},{sha256(part).hexdigest()},{8 * len(part)}" for name, part in parts.items())
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, part in {**parts, ".info/CONTENT": listed.encode()}.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), part)
    return buffer.getvalue()


def agreement_hash(plan: Plan) -> str:
    """SHA-256 of `build_agreement`: hospitals approve this hash, and Flower names the code of a run by it."""
    return sha256(build_agreement(plan)).hexdigest()
