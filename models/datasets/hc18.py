"""HC18: fetal head images with the sonographer's ellipse.

van den Heuvel TLA et al. Automated measurement of fetal head circumference using 2D ultrasound
images. Zenodo 2018, doi:10.5281/zenodo.1327317; PLoS ONE 2018;13:e0200412. CC BY 4.0.

The number before the underscore of a file name is an *examination*; the same woman can stand under
several numbers and no key is published, so a split by examination may still share a woman.
"""

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.errors import DataSetError
from models.ultrasound.ellipse import Ellipse, fit_ellipse

TABLE_NAME = "training_set_pixel_size_and_HC.csv"
_NAME = re.compile(r"^(\d+)_(?:\d*)HC\.png$")


@dataclass(frozen=True)
class HeadImage:
    """One HC18 image with its reference.

    Attributes
    ----------
    name : str
        File name, e.g. ``010_2HC.png``.
    examination : str
        The number before the underscore: the grouping key.
    pixels : ndarray of uint8, shape (height, width)
    pixel_size_mm : float
    head_circumference_mm : float
        Reference.
    ellipse : Ellipse
        Fitted to the outline of the annotation, px.
    same_frame_as : str or None
        An earlier image of the examination with (nearly) the same pixels.
    """

    name: str
    examination: str
    pixels: NDArray[np.uint8]
    pixel_size_mm: float
    head_circumference_mm: float
    ellipse: Ellipse
    same_frame_as: str | None = None


def find(folder: Path) -> Path | None:
    """The folder with the HC18 table at or below `folder`, or None."""
    return next((path.parent for path in sorted(folder.rglob(TABLE_NAME))), None)


def input_files(folder: Path) -> list[Path]:
    """The files `read` opens: the table, and the archives or the unpacked pictures."""
    archives = [path for path in sorted(folder.rglob("*.zip")) if _pictures_in(path)]
    return [folder / TABLE_NAME, *(archives or sorted(folder.rglob("*HC*.png")))]


def read(folder: Path) -> list[HeadImage]:
    """Read every image of the table that has a picture and an annotation, in table order.

    Parameters
    ----------
    folder : Path
        Holds the official table and either the unpacked pictures or any zip archives with them.

    Raises
    ------
    DataSetError
        The table is missing or malformed, or a picture cannot be read.
    """
    table = _read_table(folder / TABLE_NAME)
    pictures = dict(_pictures(folder))
    records: list[HeadImage] = []
    for name, (pixel_size_mm, circumference_mm) in table.items():
        match = _NAME.match(name)
        annotation = name.replace(".png", "_Annotation.png")
        if match is None or name not in pictures or annotation not in pictures:
            continue
        pixels = _grey(pictures[name], name)
        ys, xs = np.nonzero(_grey(pictures[annotation], annotation) > 127)
        try:
            ellipse = fit_ellipse(xs.astype(float), ys.astype(float))
        except ValueError as error:
            raise DataSetError(f"{annotation}: {error}") from None
        siblings = [record for record in reversed(records) if record.examination == match.group(1)]
        twin = next((s.name for s in siblings if _same_frame(s.pixels, pixels)), None)
        records.append(HeadImage(name, match.group(1), pixels, pixel_size_mm, circumference_mm, ellipse, twin))
    if not records:
        raise DataSetError(f"{folder}: the table is there, but no picture with an annotation")
    return records


def _read_table(path: Path) -> dict[str, tuple[float, float]]:
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
        return {row[0]: (float(row[1]), float(row[2])) for row in rows[1:] if row}
    except (OSError, ValueError, IndexError) as error:
        raise DataSetError(f"{path.name}: expected file name, pixel size and head circumference ({error})") from None


def _pictures_in(archive: Path) -> list[str]:
    try:
        with zipfile.ZipFile(archive) as opened:
            return [name for name in opened.namelist() if "HC" in name and name.endswith(".png")]
    except zipfile.BadZipFile:
        return []


def _pictures(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*HC*.png")):
        yield path.name, path.read_bytes()
    for archive in sorted(folder.rglob("*.zip")):
        names = _pictures_in(archive)
        if names:
            with zipfile.ZipFile(archive) as opened:
                for name in names:
                    yield Path(name).name, opened.read(name)


def _grey(content: bytes, name: str) -> NDArray[np.uint8]:
    try:
        with Image.open(io.BytesIO(content)) as image:
            return np.asarray(image.convert("L"))
    except (OSError, ValueError) as error:
        raise DataSetError(f"{name}: not a readable picture ({error})") from None


def _same_frame(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> bool:
    """True when under 5 % of the pixels differ (repeat captures of one frozen frame)."""
    return first.shape == second.shape and float(np.mean(first != second)) < 0.05
