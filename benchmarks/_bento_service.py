"""The inference as a BentoML service; `benchmarks.peer_service` starts it."""

import os
from pathlib import Path
from typing import Any

import bentoml  # type: ignore[import-not-found,unused-ignore]

from benchmarks.peer_service import Inference


@bentoml.service(workers=int(os.environ.get("BENTO_WORKERS", "2")), traffic={"timeout": 120, "max_concurrency": 64})  # type: ignore[misc,unused-ignore]
class Assess:
    """One assessment of an hour of CTG and an image."""

    def __init__(self) -> None:
        self.inference = Inference()

    @bentoml.api  # type: ignore[misc,unused-ignore]
    def assess(self, ctg: Path, image: Path) -> dict[str, Any]:
        """The result as our server stores it."""
        return self.inference(ctg.read_bytes(), image.read_bytes())
