"""The wheel in an empty environment, and the image steps, as a plain user would run them."""

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import need

pytestmark = [pytest.mark.slow, pytest.mark.network]
ROOT = Path(__file__).parent.parent

SERVE = """
import importlib.util, os
from pathlib import Path
os.environ["FETAL_HEALTH_HOME"] = "home"
from app.installation import prepare
from app.settings import settings
assert prepare(settings(), demonstration=True)
import httpx, threading, time, uvicorn
from app.main import create_app
assert "site-packages" in __import__("app").__file__, __import__("app").__file__
server = uvicorn.Server(uvicorn.Config(create_app(), port=0, log_level="error"))
thread = threading.Thread(target=server.run); thread.start()
while not server.started: time.sleep(0.05)
port = server.servers[0].sockets[0].getsockname()[1]
page = httpx.get(f"http://127.0.0.1:{port}/", headers={"Accept": "text/html"}, follow_redirects=True)
assert page.status_code == 200 and "Sign in" in page.text, page
for asset in ("app.css", "vendor/htmx.min.js", "vendor/pico.min.css", "vendor/uPlot.iife.min.js"):
    assert httpx.get(f"http://127.0.0.1:{port}/static/{asset}").status_code == 200, asset
assert httpx.get(f"http://127.0.0.1:{port}/health/ready").status_code == 200
server.should_exit = True; thread.join()
for name in ("torch", "flwr"):
    assert importlib.util.find_spec(name) is None, name
print("served")
"""


@pytest.mark.timeout(600)
def test_the_serving_image_steps_give_a_working_application(tmp_path: Path) -> None:
    need((ROOT / "app/static/vendor/htmx.min.js").exists(), "browser assets are not installed (make assets)")
    clean = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "VIRTUAL_ENV", "DATABASE_URL"}}
    wheels = tmp_path / "dist"
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--disable-pip-version-check",
        "--no-deps",
        "-w",
        str(wheels),
        str(ROOT),
    ]
    subprocess.run(build, check=True, env=clean)
    wheel = next(wheels.glob("*.whl"))
    with zipfile.ZipFile(wheel) as packed:
        assert not [name for name in packed.namelist() if name.startswith(("studies/", "tests/", "benchmarks/"))]
    root = tmp_path / "image"
    root.mkdir()
    steps = ["make", "-C", str(ROOT), "serve-image", f"IMAGE_ROOT={root}", f"WHEEL={wheel}", f"PYTHON={sys.executable}"]
    subprocess.run(steps, check=True, env=clean)
    empty = tmp_path / "empty"
    empty.mkdir()
    line = [str(root / "venv/bin/python"), "-c", SERVE]
    done = subprocess.run(line, cwd=empty, env=clean, capture_output=True, text=True, check=False)
    assert "served" in done.stdout, done.stderr


def test_the_flower_app_is_small_and_imports_from_itself_alone(tmp_path: Path) -> None:
    need(importlib.util.find_spec("flwr") is not None, "Flower is not installed")
    source = tmp_path / "source"
    for name in ("federated", "models", "plans", "studies"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    environment = {**os.environ, "FLWR_HOME": str(tmp_path / "flwr")}
    build = [str(Path(sys.executable).parent / "flwr"), "build", "--app", str(source)]
    subprocess.run(build, check=True, cwd=tmp_path, env=environment, capture_output=True)
    bundle = next(tmp_path.glob("*.fab"))
    assert bundle.stat().st_size < 2 * 2**20
    with zipfile.ZipFile(bundle) as opened:
        names = opened.namelist()
        opened.extractall(tmp_path / "alone")
    assert not [name for name in names if name.endswith((".csv", ".onnx", ".ubj", ".html"))]
    assert not [name for name in names if name.startswith(("app/", "studies/", "tests/", "migrations/", "docs/"))]
    code = "import federated.server_app, federated.client_app as c; print(c.__file__)"
    alone = tmp_path / "alone"
    line = [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {str(alone)!r}); {code}"]
    done = subprocess.run(line, check=True, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.startswith(str(alone))


def test_make_help_documents_every_target() -> None:
    text = subprocess.run(["make", "-C", str(ROOT), "help"], capture_output=True, text=True, check=True).stdout
    for target in ("install", "run", "test", "bench", "evidence", "wheel", "clean"):
        assert f"make {target} " in text
