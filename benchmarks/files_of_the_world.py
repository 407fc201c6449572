"""Files that hospitals have, and what the readers make of them: `python -m benchmarks.files_of_the_world`.

Sets: tables as they are exported (`models.synthetic.exports`), records of the wfdb package in every format that it
writes, the test files of pydicom, and one phantom in many DICOM encodings. *Wrong* is a file that was read as something
else than it is: other samples, or a head where there is none. Files of the package pydicom-data join in after
`pip install --no-deps --target FOLDER pydicom-data`, with `--data FOLDER`.
"""

import argparse
import io
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from models.bundle import Bundle, shipped
from models.ctg import formats
from models.errors import FetalHealthError
from models.growth.measures import HC
from models.synthetic.exports import RATE_HZ, exports, truth
from models.synthetic.heads import phantom
from models.ultrasound import formats as image_formats
from models.ultrasound.biometry import measure
from models.ultrasound.ellipse import Ellipse

Outcome = str
READ, REFUSED, WRONG, TRACEBACK = "read", "refused", "wrong", "traceback"
PIXEL_CM = 0.02
SAME_MM = 0.005
WFDB_FORMATS = ("16", "24", "32", "80", "212", "516", "524")


def outcome(read: Callable[[], bool]) -> tuple[Outcome, str]:
    """What came of one file: `read` says whether what was read is right."""
    try:
        return (READ, "") if read() else (WRONG, "")
    except FetalHealthError as error:
        return REFUSED, str(error)
    except Exception as error:  # the point of the table
        return TRACEBACK, f"{type(error).__name__}: {error}"


def tables() -> Iterator[tuple[str, Outcome, str]]:
    """Exported tables; one that must be refused and is read counts as wrong."""
    fhr, _ = truth()
    for export in exports():

        def read(export: Any = export) -> bool:
            back = formats.read({export.file: export.content}, export.rate_hz, columns=export.columns)
            expected = fhr if export.fhr is None else export.fhr
            same = np.array_equal(back.fhr_bpm, expected, equal_nan=True) and back.sampling_rate_hz == RATE_HZ
            return bool(export.readable and same and (back.origin.made_at is not None) == export.dated)

        yield export.name, *outcome(read)


def wfdb_records(folder: Path) -> Iterator[tuple[str, Outcome, str]]:
    """Records that the wfdb package writes: a CTG in each format, and an electrocardiogram."""
    import wfdb

    rng = np.random.default_rng(0)
    values = np.column_stack([rng.integers(60, 120, 2001), rng.integers(0, 60, 2001)])
    for format_ in WFDB_FORMATS:
        for names in (["FHR", "UC"], ["ECG", "ABP"]):
            name = f"{names[0].lower()}{format_}"
            wfdb.wrsamp(
                name, fs=4, units=["bpm", "nd"], sig_name=names, d_signal=values, fmt=[format_] * 2,
                adc_gain=[1.0, 1.0], baseline=[0, 0], write_dir=str(folder),
            )  # fmt: skip

            def read(name: str = name) -> bool:
                files = {path.name: path.read_bytes() for path in folder.glob(f"{name}.*")}
                back, oracle = formats.read(files), wfdb.rdrecord(str(folder / name))
                return name.startswith("fhr") and np.array_equal(back.fhr_bpm, oracle.p_signal[:, 0])

            yield name, *outcome(read)


def packaged(bundle: Bundle, folders: list[Path]) -> Iterator[tuple[str, Outcome, str]]:
    """Test files of pydicom: none shows a fetal head in the standard plane, so a head is wrong."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if not path.is_file() or path.suffix in {".py", ".pyc", ".json", ".txt", ".md", ".toml"}:
                continue

            def read(path: Path = path) -> bool:
                images = image_formats.read(path.name, path.read_bytes())
                return all(bundle.segmenter.head(image.pixels).refusal is not None for image in images)

            yield path.name, *outcome(read)


def encoded() -> Iterator[tuple[str, bytes]]:
    """One phantom in many encodings that lose nothing."""
    grey = phantom(Ellipse(400, 270, 230, 180, 0.1), seed=1)
    colours = np.stack([grey] * 3, axis=-1)
    neutral = np.stack([grey, np.full_like(grey, 128), np.full_like(grey, 128)], axis=-1)
    plain = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian)
    for syntax in (*plain, RLELossless, JPEG2000Lossless):
        for name, pixels, kind in (
            ("grey", grey, "MONOCHROME2"),
            ("inverted", 255 - grey, "MONOCHROME1"),
            ("RGB", colours, "RGB"),
            ("YBR", neutral, "YBR_FULL"),
            ("RGB called YBR", colours, "YBR_FULL"),
            ("YBR called RGB", neutral, "RGB"),
        ):
            if syntax == JPEG2000Lossless and pixels.ndim == 3:
                continue  # its own colour transform
            for clamp in (0, 1):
                yield f"{syntax.name}, {name}, bound {clamp} pixel outside", _file(pixels, kind, syntax, clamp)
    for bits in (12, 16):
        deep = np.round(grey * ((2**bits - 1) / 255)).astype(np.uint16)
        yield f"{bits} bit", _file(deep, "MONOCHROME2", ExplicitVRLittleEndian, 0, bits)


def _file(pixels: np.ndarray, kind: str, syntax: Any, outside: int, bits: int = 8) -> bytes:
    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    data.SOPClassUID, data.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.6.1", pydicom.uid.generate_uid()
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.Modality, data.PhotometricInterpretation = "US", kind
    data.Rows, data.Columns = pixels.shape[:2]
    data.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    if pixels.ndim == 3:
        data.PlanarConfiguration = 0
    data.BitsAllocated = 8 * pixels.dtype.itemsize
    data.BitsStored, data.HighBit, data.PixelRepresentation = bits, bits - 1, 0
    region = pydicom.Dataset()
    region.RegionSpatialFormat = region.RegionDataType = 1
    region.RegionLocationMinX0 = region.RegionLocationMinY0 = 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = data.Columns - 1 + outside, data.Rows - 1 + outside
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX = region.PhysicalDeltaY = PIXEL_CM
    data.SequenceOfUltrasoundRegions = [region]
    if syntax == JPEG2000Lossless:
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "JPEG2000", irreversible=False)
        data.PixelData = encapsulate([stream.getvalue()])
    elif syntax == ExplicitVRBigEndian and pixels.dtype.itemsize == 2:
        data.PixelData = pixels.byteswap().tobytes()
    else:
        data.PixelData = pixels.tobytes()
    if syntax == RLELossless:
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.compress(RLELossless, generate_instance_uid=False)
    stream = io.BytesIO()
    data.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def encodings(bundle: Bundle) -> Iterator[tuple[str, Outcome, str]]:
    """The phantom in every encoding: the head circumference is that of the plain file."""
    plain: list[float] = []
    for name, content in encoded():

        def read(content: bytes = content) -> bool:
            (image,) = image_formats.read("phantom", content)
            head = bundle.segmenter.head(image.pixels)
            assert head.ellipse is not None
            assert image.pixel_size_mm is not None
            value = measure(head.ellipse, image.pixel_size_mm, bundle.intervals).measured()[HC].value
            plain.append(value)
            return abs(value - plain[0]) <= SAME_MM

        yield name, *outcome(read)


def known(results: list[tuple[str, Outcome, str]]) -> tuple[int, int]:
    """How many of the Philips CX50 and EPIQ 7C files of pydicom were read, and how many there are."""
    ours = [result for name, result, _ in results if name.startswith(("OBXXXX1A", "JPGLosslessP14SV1"))]
    return ours.count(READ), len(ours)


def table(folders: list[Path], scratch: Path) -> dict[str, list[tuple[str, Outcome, str]]]:
    """What came of every file of every set."""
    bundle = Bundle(shipped())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            "tables": list(tables()),
            "wfdb": list(wfdb_records(scratch)),
            "pydicom": list(packaged(bundle, [Path(str(pydicom.__file__)).parent / "data", *folders])),
            "encodings": list(encodings(bundle)),
        }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, action="append", default=[], help="Folder with more DICOM files.")
    parser.add_argument("--refusals", action="store_true", help="Print every refusal.")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        results = table(chosen.data, Path(scratch))
    print(f"{'set':12} {'files':>6} {'read':>6} {'refused':>8} {'wrong':>6} {'traceback':>10}")
    for name, rows in results.items():
        counts = Counter(result for _, result, _ in rows)
        numbers = (len(rows), counts[READ], counts[REFUSED], counts[WRONG], counts[TRACEBACK])
        print("{:12} {:6} {:6} {:8} {:6} {:10}".format(name, *numbers))
    print("CX50 and EPIQ 7C files read: {} of {}".format(*known(results["pydicom"])))
    for name, rows in results.items():
        for file, result, words in rows:
            if result in (WRONG, TRACEBACK) or (chosen.refusals and result == REFUSED):
                print(f"{name}, {file}: {result} {words}")


if __name__ == "__main__":
    main()
