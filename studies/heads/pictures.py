"""The largest errors as a picture: reference and network over the image, for a person to judge."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from models.datasets.hc18 import HeadImage
from models.ultrasound.biometry import HeadEllipse
from models.ultrasound.ellipse import Ellipse

TILE = (400, 270)
COLUMNS, ROWS = 4, 3
REFERENCE, FOUND = (60, 220, 90), (255, 80, 80)
LICENCE = "HC18, van den Heuvel et al. 2018, doi:10.5281/zenodo.1327317, CC BY 4.0; outlines drawn in"


def failures(records: Sequence[HeadImage], heads: Sequence[HeadEllipse], path: Path) -> None:
    """Write the twelve largest errors as JPEG, the largest first."""
    error = [
        (head.ellipse.perimeter * record.pixel_size_mm if head.ellipse else 0.0) - record.head_circumference_mm
        for record, head in zip(records, heads, strict=True)
    ]
    worst = np.argsort(-np.abs(error), kind="stable")[: COLUMNS * ROWS]
    sheet = Image.new("RGB", (COLUMNS * TILE[0], ROWS * TILE[1] + 18))
    for place, i in enumerate(worst):
        tile = _tile(records[i], heads[i], error[i])
        sheet.paste(tile, (place % COLUMNS * TILE[0], place // COLUMNS * TILE[1]))
    ImageDraw.Draw(sheet).text((6, ROWS * TILE[1] + 3), LICENCE, fill=(200, 200, 200))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, "JPEG", quality=82)


def _tile(record: HeadImage, head: HeadEllipse, error: float) -> Image.Image:
    picture = Image.fromarray(record.pixels).convert("RGB")
    canvas = ImageDraw.Draw(picture)
    _draw(canvas, record.ellipse, REFERENCE)
    if head.ellipse is not None:
        _draw(canvas, head.ellipse, FOUND)
    picture = picture.resize(TILE)
    words = f"{record.name}  {record.head_circumference_mm:.0f} mm  {error:+.1f}"
    ImageDraw.Draw(picture).text((6, 4), words + ("  refused" if head.refusal else ""), fill=(255, 235, 120))
    return picture


def _draw(canvas: ImageDraw.ImageDraw, ellipse: Ellipse, colour: tuple[int, int, int]) -> None:
    outline = [(float(x), float(y)) for x, y in ellipse.points(240)]
    canvas.line([*outline, outline[0]], fill=colour, width=3)
