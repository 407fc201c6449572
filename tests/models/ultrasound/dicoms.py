"""Small DICOM files for the tests, written with pydicom."""

import io
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

US_IMAGE = "1.2.840.10008.5.1.4.1.1.6.1"
US_MULTIFRAME = "1.2.840.10008.5.1.4.1.1.3.1"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def region(
    box: tuple[int, int, int, int], delta: tuple[float, float] = (0.012, 0.012), units: int = 3, **more: int
) -> Dataset:
    """An ultrasound region: box is left, top, right, bottom; deltas in the unit (3: cm)."""
    made = Dataset()
    made.RegionSpatialFormat = more.get("spatial", 1)
    made.RegionDataType = more.get("kind", 1)
    made.RegionFlags = 0
    made.RegionLocationMinX0, made.RegionLocationMinY0, made.RegionLocationMaxX1, made.RegionLocationMaxY1 = box
    made.PhysicalUnitsXDirection = made.PhysicalUnitsYDirection = units
    made.PhysicalDeltaX, made.PhysicalDeltaY = delta
    return made


def dicom(
    pixels: np.ndarray,
    regions: list[Dataset] | None = None,
    sop_class: str = US_IMAGE,
    syntax: str = ExplicitVRLittleEndian,
    stream_of: bytes | None = None,
    **elements: Any,
) -> bytes:
    """A file of grey (rows, columns), colour (rows, columns, 3) or several frames (frames, rows, columns).

    With a compressed `syntax` the one frame is `stream_of`, or the raw bytes, which no decoder takes.
    """
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = syntax
    made = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    made.SOPClassUID, made.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    made.PatientName, made.PatientID, made.PatientBirthDate = "Doe^Jane", "12345", "19900101"
    made.StudyDate, made.InstitutionName, made.Modality = "20260302", "St Elsewhere", "US"
    colour = pixels.ndim == 3 and pixels.shape[-1] == 3
    made.Rows, made.Columns = pixels.shape[:2] if colour else pixels.shape[-2:]
    if pixels.ndim == 3 and not colour:
        made.NumberOfFrames = len(pixels)
    made.SamplesPerPixel = 3 if colour else 1
    made.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        made.PlanarConfiguration = 0
    made.BitsAllocated = made.BitsStored = 8 * pixels.dtype.itemsize
    made.HighBit, made.PixelRepresentation = made.BitsStored - 1, 0
    raw = pixels.tobytes()
    made.PixelData = encapsulate([stream_of or raw]) if UID(syntax).is_encapsulated else raw
    if regions is not None:
        made.SequenceOfUltrasoundRegions = Sequence(regions)
    for name, value in elements.items():
        setattr(made, name, value)
    stream = io.BytesIO()
    made.save_as(stream, enforce_file_format=True)
    return stream.getvalue()
