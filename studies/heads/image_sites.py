"""The segmenter on sites cut along the circumference: beside pooled and local training, and with smaller updates.

One fold, fewer rounds than the shipped recipe, three seeds, the same for all arms.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from federated.plan import CompressionPlan, Plan, UltrasoundPlan
from federated.sites.partition import head_sites
from models.datasets import hc18
from models.datasets.hc18 import HeadImage
from models.evaluation.folds import hashed_folds
from models.evaluation.metrics import score_head
from studies.heads.study import records_of
from studies.resume import Rows, resume

if TYPE_CHECKING:
    from models.ultrasound.network import HeadSegmenter

SEEDS, FOLD, EPOCHS = 3, 0, 40
SITES = 3
TOP_20, TOP_100 = CompressionPlan(kind="top-k", share=0.1), CompressionPlan(kind="top-k", share=0.02)
ARMS: dict[str, dict[str, Any]] = {
    "pooled": {"sites": 1, "rounds": EPOCHS, "local_epochs": 1.0},
    "trimester": {},
    "trimester top-k 10 %": {"compression": TOP_20},
    "trimester top-k 2 %": {"compression": TOP_100},
    "trimester int8": {"compression": CompressionPlan(kind="int8")},
    "local": {},
}


def head_row(part: str, record: HeadImage, site: int, network: "HeadSegmenter") -> dict[str, Any]:
    """What a network says of one image beside its reference."""
    from models.ultrasound.training import predict_head

    estimate, overlap, _ = score_head(predict_head(network, record.pixels), record)
    return {
        "part": part,
        "image": record.name,
        "examination": record.examination,
        "site": site,
        "reference_mm": round(record.head_circumference_mm, 3),
        "estimate_mm": round(estimate, 3),
        "dice": round(overlap, 5),
    }


def study(folder: Path, plan: Plan, output: Path, wanted: Sequence[str]) -> None:
    """Write ``image_sites.csv``: one row an image and part (``arm/seed``)."""
    from federated.weights.averaging import fold_model_of
    from federated.weights.segmenter_site import ImageSite, network_of
    from studies.in_process import train_image_sites

    section = plan.ultrasound or UltrasoundPlan()
    records = [record for record in hc18.read(folder) if record.same_frame_as is None]
    fold = hashed_folds([record.examination for record in records], section.folds)
    fold_model = FOLD + 1

    def make(part: str) -> Rows:
        arm, _, number = part.rpartition("/")
        seed = plan.seed + int(number)
        start = {"partition": "trimester", "sites": SITES, "rounds": 2 * EPOCHS, "local_epochs": 0.5}
        cut = section.model_copy(update={**start, **ARMS[arm]})
        site_of = head_sites(records, section.model_copy(update={"partition": "trimester", "sites": SITES}), seed)
        index = np.zeros(len(records), dtype=np.int64) if cut.sites == 1 else site_of
        sites = [
            ImageSite(f"site-{k + 1}", records_of(records, index == k), cut, seed=plan.seed + seed)
            for k in range(cut.sites)
        ]
        sizes: list[float] = []

        def report(round_number: int, loss: float, size: float) -> None:
            sizes.append(size)
            if round_number % 10 == 0:
                print(f"{part} round {round_number}: loss {loss:.3f}, {size / 1024:.0f} kB up", flush=True)

        together = [[site] for site in sites] if arm == "local" else [sites]
        trained = [train_image_sites(some, cut, seed, [fold_model], report) for some in together]
        networks = [network_of(fold_model_of(arrays, fold_model)) for arrays in trained]
        rows: Rows = []
        for record, k, s in zip(records, fold, site_of, strict=True):
            if k == FOLD:
                network = networks[s] if arm == "local" else networks[0]
                size = round(float(np.mean(sizes)) / len(sites))
                rows.append({**head_row(part, record, int(s) + 1, network), "bytes": size})
        return rows

    parts = [
        f"{arm}/{seed}" for seed in range(SEEDS) for arm in ARMS if seed == 0 or arm not in {"local", "trimester int8"}
    ]
    resume(output / "image_sites.csv", "part", wanted or parts, make)
