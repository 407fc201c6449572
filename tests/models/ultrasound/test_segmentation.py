"""The segmenter as it is served."""

import os
import subprocess
import sys
from pathlib import Path

from models.bundle import shipped

LOAD = """
import sys
from pathlib import Path
from models.ultrasound.segmentation import Segmenter
Segmenter(Path(sys.argv[1]))
print(*sorted(line.split()[-1] for line in open("/proc/self/maps") if "telemetry" in line or ".onnxruntime/" in line))
"""


def test_no_telemetry_is_kept_or_sent(tmp_path: Path) -> None:
    """ONNX Runtime keeps a queue for its maker in the home folder unless it is told not to."""
    network = shipped() / "head_segmenter.onnx"
    environment = os.environ | {"HOME": str(tmp_path)}
    environment.pop("XDG_CACHE_HOME", None)
    line = [sys.executable, "-c", LOAD, str(network)]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
    assert list(tmp_path.rglob("*")) == []
