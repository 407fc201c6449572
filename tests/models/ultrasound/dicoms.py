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
    dataset = Dataset()
    dataset.RegionSpatialFormat = more.get("spatial", 1)
    dataset.RegionDataType = more.get("kind", 1)
    dataset.RegionFlags = 0
    (
        dataset.RegionLocationMinX0,
        dataset.RegionLocationMinY0,
        dataset.RegionLocationMaxX1,
        dataset.RegionLocationMaxY1,
    ) = box
    dataset.PhysicalUnitsXDirection = dataset.PhysicalUnitsYDirection = units
    dataset.PhysicalDeltaX, dataset.PhysicalDeltaY = delta
    return dataset


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
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = "Doe^Jane", "12345", "19900101"
    dataset.StudyDate, dataset.InstitutionName, dataset.Modality = "20260302", "St Elsewhere", "US"
    colour = pixels.ndim == 3 and pixels.shape[-1] == 3
    dataset.Rows, dataset.Columns = pixels.shape[:2] if colour else pixels.shape[-2:]
    if pixels.ndim == 3 and not colour:
        dataset.NumberOfFrames = len(pixels)
    dataset.SamplesPerPixel = 3 if colour else 1
    dataset.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = dataset.BitsStored = 8 * pixels.dtype.itemsize
    dataset.HighBit, dataset.PixelRepresentation = dataset.BitsStored - 1, 0
    raw = pixels.tobytes()
    dataset.PixelData = encapsulate([stream_of or raw]) if UID(syntax).is_encapsulated else raw
    if regions is not None:
        dataset.SequenceOfUltrasoundRegions = Sequence(regions)
    for name, value in elements.items():
        setattr(dataset, name, value)
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()
