"""An environment of its own with BentoML and LitServe and what the inference needs, made once and kept."""

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLACE = ROOT / "build" / "peers"
SERVERS = ("bentoml==1.4.40", "litserve==0.2.19")
# What assessing imports; the versions are those of this project.
MODELS = (
    *("numpy", "scipy", "onnxruntime", "pillow", "pydicom", "python-gdcm", "edfio", "openpyxl", "xlrd", "soundfile"),
    *("xgboost-cpu", "pydantic-settings", "python-multipart"),
)


def environment(place: Path = PLACE) -> Path:
    """The folder of the environment; it is made where it is not there."""
    done = place / "done"
    if done.exists():
        return place
    print(f"installing BentoML and LitServe into {place}", file=sys.stderr)
    venv.create(place, with_pip=True, clear=True)
    pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *SERVERS], check=True)
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    subprocess.run([*pip, *(f"{name}=={pinned[name].split(';')[0].strip()}" for name in MODELS)], check=True)
    subprocess.run([*pip, "--no-deps", "--editable", str(ROOT)], check=True)
    done.touch()
    return place
