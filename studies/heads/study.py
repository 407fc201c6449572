"""Evidence of the head segmenter from a finished run: the out-of-fold result of every image."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from federated.plan import Plan, UltrasoundPlan
from federated.run.folder import RunFolder
from federated.sites.partition import head_sites
from models.datasets import hc18
from models.errors import InputError
from models.evaluation.folds import hashed_folds
from models.evaluation.metrics import score_head
from models.growth.measures import BPD, HC, OFD
from models.ultrasound.biometry import HeadEllipse, axes_mm
from studies.heads.images_without_head import from_records, others
from studies.heads.pictures import failures
from studies.resume import FOLDS, Rows, resume

OTHER_NEGATIVES = 60
# The same picture shown smaller or larger, its pixel size changed with it: the measure in mm should not move.
ZOOMS = (0.7, 0.85, 1.15)


def from_run(run: RunFolder, plan: Plan, folder: Path, output: Path) -> None:
    """Write one row an image, one a negative, one an image and zoom; and the largest errors as a picture.

    Raises
    ------
    InputError
        The run has not finished its ultrasound rounds.
    """
    from federated.weights.averaging import fold_model_of
    from federated.weights.segmenter_site import network_of
    from models.ultrasound.training import predict_head

    section = plan.ultrasound or UltrasoundPlan()
    weights = run.weights("ultrasound")
    if weights is None or weights[0] < section.rounds:
        raise InputError(f"{run.path}: its ultrasound rounds are not finished")
    records = [record for record in hc18.read(folder) if record.same_frame_as is None]
    fold = hashed_folds([record.examination for record in records], section.folds)
    networks = [network_of(fold_model_of(weights[1], k + 1)) for k in range(section.folds)]
    heads = [predict_head(networks[k], record.pixels) for k, record in zip(fold, records, strict=True)]
    pairs = list(zip(fold.tolist(), records, heads, strict=True))
    _write(output / "hc18.csv", [_head_row(k, record, head) for k, record, head in pairs])
    failures(records, heads, output.parents[1] / "images" / "evidence-head-failures.jpg")
    network_by_name = {record.name: networks[k] for k, record, _ in pairs}
    negatives = [
        {
            "kind": negative.kind,
            "source": negative.source,
            "refusal": predict_head(network_by_name[record.name], negative.pixels).refusal,
        }
        for record, negative in from_records(records)
    ]
    negatives += [
        {
            "kind": negative.kind,
            "source": negative.source,
            "refusal": predict_head(networks[i % len(networks)], negative.pixels).refusal,
        }
        for i, negative in enumerate(others(OTHER_NEGATIVES))
    ]
    _write(output / "hc18_negatives.csv", [{**row, "refusal": row["refusal"] or ""} for row in negatives])
    zoomed = []
    for k, record, _ in pairs[::4]:
        for zoom in ZOOMS:
            pixels = _zoomed(record.pixels, zoom)
            head = predict_head(networks[k], pixels)
            estimate = head.ellipse.perimeter * record.pixel_size_mm / zoom if head.ellipse else 0.0
            zoomed.append(
                {
                    "image": record.name,
                    "zoom": zoom,
                    "estimate_mm": round(estimate, 3),
                    "refusal": head.refusal or "",
                }
            )
    _write(output / "hc18_zoom.csv", zoomed)


def _head_row(fold: int, record: hc18.HeadImage, head: HeadEllipse) -> dict[str, Any]:
    estimate, overlap, distance = score_head(head, record)
    reference = axes_mm(record.ellipse, record.pixel_size_mm)
    measured = axes_mm(head.ellipse, record.pixel_size_mm) if head.ellipse else {HC: 0.0, BPD: 0.0, OFD: 0.0}
    return {
        "fold": fold,
        "image": record.name,
        "examination": record.examination,
        "pixel_size_mm": record.pixel_size_mm,
        "reference_mm": round(record.head_circumference_mm, 3),
        "estimate_mm": round(estimate, 3),
        "reference_bpd_mm": round(reference[BPD], 3),
        "bpd_mm": round(measured[BPD], 3),
        "reference_ofd_mm": round(reference[OFD], 3),
        "ofd_mm": round(measured[OFD], 3),
        "dice": round(overlap, 5),
        "hausdorff_mm": round(distance, 4),
        "refusal": head.refusal or "",
        **({name: round(value, 5) for name, value in asdict(head.traits).items()} if head.traits else {}),
        **({name: round(value, 4) for name, value in head.ellipse.as_dict().items()} if head.ellipse else {}),
    }


def _zoomed(pixels: NDArray[np.uint8], zoom: float) -> NDArray[np.uint8]:
    """The picture magnified about its middle, on a canvas of the same size."""
    height, width = pixels.shape
    middle = (width / 2 * (1 - 1 / zoom), height / 2 * (1 - 1 / zoom))
    matrix = (1 / zoom, 0, middle[0], 0, 1 / zoom, middle[1])
    picture = Image.fromarray(pixels)
    return np.asarray(picture.transform((width, height), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR))


# Central training of every fold beside the shipped sites; the two unlike cuts on one fold.
ARMS = (*(f"central/{k}" for k in range(FOLDS)), "trimester/0", "scale/0")


def arms(folder: Path, plan: Plan, output: Path, parts: Sequence[str]) -> None:
    """The same recipe on other sites, one fold model at a time in this process: parts are ``arm/fold``."""
    from federated.weights.averaging import fold_model_of
    from federated.weights.segmenter_site import ImageSite, network_of
    from models.ultrasound.training import predict_head
    from studies.in_process import train_image_sites

    section = plan.ultrasound or UltrasoundPlan()
    records = [record for record in hc18.read(folder) if record.same_frame_as is None]
    fold = hashed_folds([record.examination for record in records], section.folds)

    def make(part: str) -> Rows:
        arm, _, number = part.partition("/")
        partition = arm if arm in {"trimester", "scale"} else section.partition
        cut = section.model_copy(update={"partition": partition, "sites": 1 if arm == "central" else section.sites})
        site_of = head_sites(records, cut, plan.seed)
        sites = [
            ImageSite(f"site-{k + 1}", records_of(records, site_of == k), cut, seed=plan.seed) for k in range(cut.sites)
        ]
        fold_model = int(number) + 1

        def report(round_number: int, loss: float, _: float) -> None:
            if round_number % 10 == 0:
                print(f"{part} round {round_number}: loss {loss:.3f}", flush=True)

        arrays = train_image_sites(sites, cut, plan.seed, [fold_model], report)
        network = network_of(fold_model_of(arrays, fold_model))
        return [
            {
                "part": part,
                "image": record.name,
                "examination": record.examination,
                "reference_mm": round(record.head_circumference_mm, 3),
                "estimate_mm": round(score_head(predict_head(network, record.pixels), record)[0], 3),
            }
            for record in records_of(records, fold == int(number))
        ]

    resume(output / "hc18_arms.csv", "part", parts or ARMS, make)


def records_of(records: Sequence[hc18.HeadImage], chosen: Iterable[bool]) -> list[hc18.HeadImage]:
    """Give the records that were chosen."""
    return [record for record, is_chosen in zip(records, chosen, strict=True) if is_chosen]


def _write(path: Path, rows: Rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, fieldnames=names, restval="")
        writer.writeheader()
        writer.writerows(rows)
