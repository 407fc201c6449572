"""The same inference behind BentoML and LitServe; run with an environment in which they are installed.

``python -m benchmarks.peer_service bentoml|litserve PORT WORKERS``. Nothing is stored.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"


class Inference:
    """What our own server does with an hour of CTG and an image, without storing it."""

    def __init__(self) -> None:
        from models.bundle import Bundle, shipped

        self.bundle = Bundle(shipped()).warm()

    def __call__(self, ctg: bytes, image: bytes) -> dict[str, Any]:
        """The result as our server stores it."""
        from models.ctg import formats
        from models.ctg.analysis import analyse
        from models.fusion.inputs import CtgInput, ScanImage, ScanInput
        from models.fusion.risk import assess
        from models.growth.assessment import Age
        from models.ultrasound import formats as image_formats
        from models.ultrasound.image import Scale

        trace = CtgInput(analysis=analyse(formats.read({"t.csv": ctg})), stage="labour", age_days=266)
        (picture,) = image_formats.read("h.png", image, Scale(0.2))
        scan = ScanInput((ScanImage(picture, self.bundle.segmenter.head(picture.pixels)),), age=Age(266, "given"))
        return assess(self.bundle, trace, scan).as_dict()


def _bentoml(port: int, workers: int) -> None:
    service = Path(__file__).with_name("_bento_service.py")
    line = ["-m", "bentoml", "serve", f"{service.stem}:Assess", "--port", str(port), "--host", "127.0.0.1"]
    environment = {**os.environ, "BENTO_WORKERS": str(workers), "BENTOML_DO_NOT_TRACK": "True"}
    subprocess.run([sys.executable, *line], cwd=service.parent, env=environment, check=True)


def _litserve(port: int, workers: int) -> None:
    line = [sys.executable, "-m", "benchmarks._lit_service", str(port), str(workers)]
    subprocess.run(line, check=True)


if __name__ == "__main__":
    {"bentoml": _bentoml, "litserve": _litserve}[sys.argv[1]](int(sys.argv[2]), int(sys.argv[3]))
