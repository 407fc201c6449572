"""DICOM ultrasound into grey regions with their scale.

The scale is that of `SequenceOfUltrasoundRegions` (0018,6011): physical deltas in cm of a two-dimensional region. Every
pixel outside the region is dropped, and nothing of the header but the scale leaves this module. Pixel Spacing is not
used: without a calibrated region it may say anything.
"""

import io
import re
import warnings
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.errors import FetalHealthError, FormatError, InputError, RangeError
from models.origin import UNKNOWN_ORIGIN, Origin, identity
from models.ultrasound.formats.pictures import check_colourless, check_size, equal, neutral, to_eight_bits
from models.ultrasound.image import (
    MAX_PIXEL_SIZE_MM,
    MIN_PIXEL_SIZE_MM,
    WHOLE_PICTURE,
    Scale,
    UltrasoundImage,
    checked_pixel_size,
)

# SOP classes: ultrasound image and multi-frame image (and their retired forms), secondary capture.
SOP_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.6.1",
    "1.2.840.10008.5.1.4.1.1.6",
    "1.2.840.10008.5.1.4.1.1.3.1",
    "1.2.840.10008.5.1.4.1.1.3",
    "1.2.840.10008.5.1.4.1.1.7",
    "1.2.840.10008.5.1.4.1.1.7.2",
    "1.2.840.10008.5.1.4.1.1.7.4",
}
ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
DEFLATED = b"1.2.840.10008.1.2.1.99"
# What a secondary capture may be a picture of.
MODALITIES = {"", "US", "OT", "SC"}
# Colour spaces whose channels are kept as they are stored: a wrong name of theirs can then be seen.
BRIGHTNESS_AND_DIFFERENCES = {"YBR_FULL", "YBR_FULL_422"}
DISAGREE = "its colour space and its header disagree; the picture is grey"
CENTIMETRES = 3
TWO_DIMENSIONAL = 1
TISSUE = 1
MAX_ANISOTROPY = 4.0
MAX_REGIONS = 8
SAME_SCALE = 0.01


@dataclass(frozen=True)
class Region:
    """A two-dimensional region: pixel bounds (inclusive) and mm a pixel, None where it has none in cm."""

    left: int
    top: int
    right: int
    bottom: int
    mm_x: float | None
    mm_y: float | None


def looks_like(content: bytes) -> bool:
    """Whether the preamble of a DICOM file is there."""
    return content[128:132] == b"DICM"


def without_preamble(content: bytes) -> bool:
    """Whether a data set begins at once: group 0002 or 0008, in either byte order."""
    return content[:4] in (b"\x08\0\x05\0", b"\x08\0\0\0", b"\0\x08\0\0", b"\x02\0\0\0") or (
        content[:2] == b"\x08\0" and content[3:4] == b"\0" and content[2:3] < b"\x20" and len(content) > 512
    )


@dataclass(frozen=True)
class Header:
    """What is needed of a file beside its pixels; everything else of it is left behind."""

    width: int
    height: int
    frames: int
    regions: list[Region]
    origin: Origin = UNKNOWN_ORIGIN
    remarks: tuple[str, ...] = ()


def read(name: str, content: bytes, scale: Scale, frame: int | None, most: int) -> list[UltrasoundImage]:
    """Images of every two-dimensional region of the chosen frames (see `models.ultrasound.formats.read`)."""
    dataset = _dataset(name, content)
    header = _header(name, dataset)
    if frame is not None and not 1 <= frame <= header.frames:
        raise InputError(f"{name}: frame {frame} of {header.frames} does not exist")
    chosen = [frame - 1] if frame else _spread(header.frames, max(1, most // len(header.regions)))
    images: list[UltrasoundImage] = []
    refusals: list[FormatError] = []
    for index in chosen:
        pixels = _frame(name, dataset, index, header.frames)
        for region in header.regions:
            part = pixels[region.top : region.bottom + 1, region.left : region.right + 1]
            check_size(name, part.shape[1], part.shape[0])
            try:
                images.append(_image(name, dataset, header, part, region, scale))
            except FormatError as error:  # coloured: another frame may be grey
                refusals.append(error)
    if not images:
        raise refusals[0]
    if refusals:
        remark = f"{len(refusals)} of its frames or regions were not used: {str(refusals[0]).partition(': ')[2]}"
        images = [replace(image, remarks=(*image.remarks, remark)) for image in images]
    return images[:most]


def _image(
    name: str, dataset: Any, header: Header, part: NDArray[Any], region: Region, scale: Scale
) -> UltrasoundImage:
    """One region of a frame; raises FormatError where it is coloured."""
    grey, remarks = _grey(name, part, str(dataset.get("PhotometricInterpretation", "")))
    image = _scaled(name, grey, region, scale)
    return replace(image, origin=header.origin, remarks=(*header.remarks, *remarks))


def _spread(count: int, most: int) -> list[int]:
    return sorted({round(i) for i in np.linspace(0, count - 1, min(count, most))})


def _dataset(name: str, content: bytes) -> Any:
    import pydicom

    if DEFLATED in content[132:2048]:  # inflating it could take any amount of memory
        raise FormatError(f"{name}: a deflated DICOM file; export it uncompressed")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(io.BytesIO(content), force=without_preamble(content))
            if "TransferSyntaxUID" not in dataset.file_meta:
                implicit, little = dataset.original_encoding
                syntax = pydicom.uid.ImplicitVRLittleEndian if implicit else pydicom.uid.ExplicitVRLittleEndian
                dataset.file_meta.TransferSyntaxUID = syntax if little else pydicom.uid.ExplicitVRBigEndian
            return dataset
    except Exception as error:  # a damaged file makes pydicom raise almost anything
        raise FormatError(f"{name}: not a readable DICOM file ({type(error).__name__})") from None


def _header(name: str, dataset: Any) -> Header:
    """Checked before any pixel is decoded. pydicom converts values when they are asked for, and raises then."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _checked_header(name, dataset)
    except FetalHealthError:
        raise
    except Exception as error:
        raise FormatError(f"{name}: its header is damaged or incomplete ({type(error).__name__})") from None


def _checked_header(name: str, dataset: Any) -> Header:
    sop_class = str(dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID") or "unknown")
    if sop_class == ENCAPSULATED_PDF:
        raise FormatError(f"{name}: an encapsulated PDF, not an image; send the image itself")
    if sop_class not in SOP_CLASSES:
        raise FormatError(
            f"{name}: DICOM of class {sop_class[:64]!r} is neither an ultrasound image nor a secondary capture"
        )
    modality = str(dataset.get("Modality") or "")
    if modality not in MODALITIES:
        raise FormatError(f"{name}: a picture of modality {modality[:16]!r}, not of an ultrasound examination")
    if "PixelData" not in dataset:
        raise FormatError(f"{name}: there are no pixels in this DICOM file")
    width, height = int(dataset.Columns), int(dataset.Rows)
    check_size(name, width, height)
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames < 1:
        raise FormatError(f"{name}: {frames} frames")
    sequence = dataset.get("SequenceOfUltrasoundRegions")
    origin = _origin(dataset)
    burnt_in = str(dataset.get("BurnedInAnnotation") or "") == "YES"
    remarks = ("the file says that text is burnt into the picture; what is inside the region is stored",)
    if not sequence:
        whole = [Region(0, 0, width - 1, height - 1, None, None)]
        return Header(width, height, frames, whole, origin, (WHOLE_PICTURE, *(remarks if burnt_in else ())))
    regions = list(_two_dimensional(sequence))
    if not regions:
        raise FormatError(f"{name}: none of its ultrasound regions is a two-dimensional tissue image")
    if len(regions) > MAX_REGIONS:
        raise FormatError(f"{name}: {len(regions)} two-dimensional regions; at most {MAX_REGIONS} are read")
    regions = [_clamped(region, width, height) for region in regions]
    for region in regions:
        if not (region.left < region.right < width and region.top < region.bottom < height):
            raise FormatError(f"{name}: an ultrasound region lies outside the picture")
    return Header(width, height, frames, regions, origin, remarks if burnt_in else ())


def _clamped(region: Region, width: int, height: int) -> Region:
    """Bounds that exceed the picture by one pixel, because they count from 1 or name the first pixel outside."""
    right = width - 1 if region.right == width else region.right
    return replace(region, right=right, bottom=height - 1 if region.bottom == height else region.bottom)


def _origin(dataset: Any) -> Origin:
    """When the picture was acquired, whose it is, and its study; None of it leaves the memory."""
    who = identity(
        str(dataset.get("PatientID") or ""),
        str(dataset.get("IssuerOfPatientID") or "DICOM"),
        str(dataset.get("PatientBirthDate") or ""),
    )
    return Origin(_acquired(dataset), who, str(dataset.get("StudyInstanceUID") or ""))


def _acquired(dataset: Any) -> datetime | None:
    """The first of acquisition, content and study time that the file states with its day; with a zone if it has one."""
    whole = str(dataset.get("AcquisitionDateTime") or "")
    pairs = [(whole[:8], whole[8:])]
    pairs += [
        (str(dataset.get(f"{what}Date") or ""), str(dataset.get(f"{what}Time") or ""))
        for what in ("Acquisition", "Content", "Study")
    ]
    for day, clock in pairs:
        digits, zone = re.sub(r"[.:]", "", clock.partition(".")[0]), re.search(r"[+-]\d{4}$", clock)
        try:
            moment = datetime.strptime(f"{day} {digits[:6].ljust(6, '0')}", "%Y%m%d %H%M%S")
        except ValueError:
            continue
        offset = zone.group() if zone else str(dataset.get("TimezoneOffsetFromUTC") or "")
        try:
            return datetime.strptime(f"{moment:%Y%m%d%H%M%S}{offset}", "%Y%m%d%H%M%S%z") if offset else moment
        except ValueError:
            return moment
    return None


def _two_dimensional(sequence: Any) -> Iterator[Region]:
    for item in sequence:
        if int(item.get("RegionSpatialFormat", 0)) != TWO_DIMENSIONAL:
            continue
        if int(item.get("RegionDataType", 0)) != TISSUE:
            continue
        in_cm = (
            int(item.get("PhysicalUnitsXDirection", 0)) == CENTIMETRES
            and int(item.get("PhysicalUnitsYDirection", 0)) == CENTIMETRES
        )
        delta_x, delta_y = (abs(float(item.get(key) or 0)) for key in ("PhysicalDeltaX", "PhysicalDeltaY"))
        has_scale = in_cm and delta_x > 0 and delta_y > 0
        yield Region(
            max(0, int(item.RegionLocationMinX0)),
            max(0, int(item.RegionLocationMinY0)),
            int(item.RegionLocationMaxX1),
            int(item.RegionLocationMaxY1),
            10 * delta_x if has_scale else None,
            10 * delta_y if has_scale else None,
        )


def _frame(name: str, dataset: Any, index: int, frames: int) -> NDArray[Any]:
    """One decoded frame with the channels of its header, shape (rows, columns) or (rows, columns, 3)."""
    from pydicom.pixels import pixel_array

    try:
        _check_encapsulated(name, dataset, index, frames)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            raw = str(dataset.get("PhotometricInterpretation", "")) in BRIGHTNESS_AND_DIFFERENCES
            return _as_shown(dataset, np.asarray(pixel_array(dataset, index=index, raw=raw)))
    except FetalHealthError:
        raise
    except Exception as error:  # decoders raise almost anything
        syntax = getattr(getattr(dataset, "file_meta", None), "TransferSyntaxUID", None)
        label = getattr(syntax, "name", "unknown")
        missing = isinstance(error, RuntimeError)
        reason = "cannot be decoded here" if missing else f"is damaged ({type(error).__name__})"
        raise FormatError(f"{name}: its pixels ({label}) {reason}; export it uncompressed") from None


def _as_shown(dataset: Any, pixels: NDArray[Any]) -> NDArray[Any]:
    """Inverted grey turned back, palette indices as their 8-bit colours; everything else as it is."""
    kind = str(dataset.get("PhotometricInterpretation", ""))
    if kind == "MONOCHROME1":
        return np.asarray((1 << int(dataset.BitsStored)) - 1 - pixels.astype(np.int64)).astype(pixels.dtype)
    if kind == "PALETTE COLOR":
        from pydicom.pixels import apply_color_lut

        colours = np.asarray(apply_color_lut(pixels, _little_endian_palette(dataset)))
        return (colours >> (8 * colours.dtype.itemsize - 8)).astype(np.uint8)
    return pixels


def _little_endian_palette(dataset: Any) -> Any:
    """The data set with a little-endian palette: the library reads that of a big-endian file the wrong way round."""
    _, little = dataset.original_encoding
    if little or int(dataset.RedPaletteColorLookupTableDescriptor[2]) != 16:
        return dataset
    turned = copy(dataset)
    for colour in ("Red", "Green", "Blue"):
        name = f"{colour}PaletteColorLookupTableData"
        setattr(turned, name, np.frombuffer(dataset[name].value, ">u2").astype("<u2").tobytes())
    return turned


def _check_encapsulated(name: str, dataset: Any, index: int, frames: int) -> None:
    """The size that a compressed frame's own header states, before it is decoded."""
    from pydicom.encaps import get_frame

    if not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        return
    stream = get_frame(dataset.PixelData, index, number_of_frames=frames)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(stream)) as image:
                check_size(name, *image.size)
    except Image.DecompressionBombError:
        raise RangeError(f"{name}: a compressed frame is far larger than it says") from None
    except OSError:
        pass  # no format of Pillow's: the decoder will say so, within the size that Rows and Columns state


def _grey(name: str, part: NDArray[Any], kind: str) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Grey values, and how colours were understood."""
    if part.ndim == 3:
        colours = np.ascontiguousarray(part[..., :3].astype(np.uint8))
        differences = kind in BRIGHTNESS_AND_DIFFERENCES
        if neutral(colours):
            return np.ascontiguousarray(colours[..., 0]), () if differences else (DISAGREE,)
        if differences and equal(colours):
            return np.ascontiguousarray(colours[..., 0]), (DISAGREE,)
        if differences:
            colours = np.asarray(Image.fromarray(colours, "YCbCr").convert("RGB"))
        check_colourless(name, colours)
        return np.asarray(Image.fromarray(colours).convert("L")), ()
    if part.dtype == np.uint8:
        return np.ascontiguousarray(part), ()
    values = part.astype(np.float64)
    return to_eight_bits(values - min(0.0, float(values.min()))), ()


def _scaled(name: str, pixels: NDArray[np.uint8], region: Region, scale: Scale) -> UltrasoundImage:
    """Square pixels with a scale: the region's, or the stated one where it has none; both must agree."""
    stated, source = scale.stated()
    if region.mm_x is None or region.mm_y is None:
        return UltrasoundImage(pixels, stated, source)
    for side in (region.mm_x, region.mm_y):
        if not MIN_PIXEL_SIZE_MM <= side <= MAX_PIXEL_SIZE_MM:
            raise RangeError(
                f"{name}: its region states a pixel of {side:g} mm, outside {MIN_PIXEL_SIZE_MM:g} to "
                f"{MAX_PIXEL_SIZE_MM:g} mm; the unit may be wrong"
            )
    fine, coarse = sorted((region.mm_x, region.mm_y))
    if coarse / fine > MAX_ANISOTROPY:
        raise RangeError(f"{name}: its pixels are {region.mm_x:g} x {region.mm_y:g} mm; too unlike to be measured")
    if stated is not None and abs(stated / fine - 1) > SAME_SCALE:
        raise InputError(f"{name}: the file says {fine:g} mm a pixel, but {stated:g} was stated; leave it empty")
    if coarse / fine > 1 + 1e-6:
        height, width = pixels.shape
        size = (round(width * region.mm_x / fine), round(height * region.mm_y / fine))
        check_size(name, *size)
        pixels = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
    return UltrasoundImage(pixels, checked_pixel_size(fine, "pixel size"), "DICOM region")
