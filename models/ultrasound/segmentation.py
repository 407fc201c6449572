"""Serving of the segmenter through ONNX Runtime, without torch."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import BundleError
from models.ultrasound.biometry import HeadEllipse, head_ellipse
from models.ultrasound.image import letterbox, mirrored, unmirrored


class Segmenter:
    """An ONNX session of the head network.

    Parameters
    ----------
    path : Path
        ``head_segmenter.onnx`` of a bundle.

    Raises
    ------
    BundleError
        The file is not a network of this kind.
    """

    def __init__(self, path: Path) -> None:
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # it would send use and device to its maker
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        try:
            self._session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises its own family without a common base
            raise BundleError(f"{path.name}: not a network ONNX Runtime can load ({type(error).__name__})") from None

    def logits(self, framed: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Log-odds of a letterboxed image and its mirror images, turned back, shape (4, 128, 192)."""
        images = mirrored(framed)[:, None].astype(np.float32) / 255.0
        return unmirrored(self._session.run(None, {"images": images})[0][:, 0])

    def head(self, pixels: NDArray[np.uint8]) -> HeadEllipse:
        """Find the head in a grey image of any size."""
        framed, geometry = letterbox(pixels)
        return head_ellipse(self.logits(framed), geometry, pixels)
