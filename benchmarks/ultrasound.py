"""An image, from file to measurement, on one core; and what the parts cost."""

import io

import numpy as np
from PIL import Image

from benchmarks.timing import Timing, timed
from models.bundle import SEGMENTER, Bundle
from models.growth.assessment import Age, assess_growth
from models.growth.measures import AC, FL, HC, typed
from models.synthetic.heads import head_of, phantom
from models.ultrasound import formats
from models.ultrasound.biometry import head_ellipse, measure
from models.ultrasound.image import Scale, letterbox


def table(bundle: Bundle) -> list[tuple[str, Timing]]:
    """Rows of a table: what was done, and how long it took, ms."""
    pixels = phantom(head_of(260.0, 0.2), seed=1)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    png, segmenter = stream.getvalue(), bundle.segmenter

    def whole() -> None:
        (image,) = formats.read("a.png", png, Scale(0.2))
        head = segmenter.head(image.pixels)
        assert head.ellipse is not None
        measure(head.ellipse, 0.2, bundle.intervals)

    framed, geometry = letterbox(pixels)
    logits = segmenter.logits(framed)
    values = {HC: typed(HC, 260.0), AC: typed(AC, 233.0), FL: typed(FL, 51.3)}
    age = Age(196, "given")
    return [
        ("PNG file to measurement", timed(whole)),
        ("  of it: read", timed(lambda: formats.read("a.png", png, Scale(0.2)))),
        ("  of it: network, four mirror images", timed(lambda: segmenter.logits(framed))),
        ("  of it: ellipse and gate", timed(lambda: head_ellipse(logits, geometry, pixels))),
        ("growth of three measures", timed(lambda: assess_growth(values, age))),
    ]


def show(bundle: Bundle) -> None:
    """Print the table with ratios to the first row, and the size of the model."""
    rows = table(bundle)
    print("\nUltrasound, 800 x 540, one core, ms (aim: 150 at p50)")
    for name, timing in rows:
        numbers = " ".join(f"{timing[q]:8.2f}" for q in ("p50", "p95", "p99"))
        print(f"{name:38s} {numbers}   x{timing['p50'] / rows[0][1]['p50']:.2f}")
    size = (bundle.folder / SEGMENTER).stat().st_size / 1e6
    weights = int(np.round(size / 4e-6 / 1e3))
    print(f"model file {size:.1f} MB (aim: 6), about {weights} thousand weights")
