"""What differential privacy costs the head segmenter: one fold, one seed, fewer rounds than the recipe."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from federated.plan import NoisePlan, Plan, UltrasoundPlan
from federated.privacy.ledger import PrivacyLedger
from federated.sites.partition import head_sites
from models.datasets import hc18
from models.evaluation.folds import hashed_folds
from studies.heads.image_sites import FOLD, SITES, head_row
from studies.heads.study import records_of
from studies.resume import Rows, resume

ROUNDS, BATCH = 24, 32
ARMS: dict[str, dict[str, Any]] = {
    "no noise, no clipping": {},
    "clipped, noise 1": {"noise": NoisePlan(noise_multiplier=1.0), "batch_size": BATCH},
    "clipped, noise 0.5": {"noise": NoisePlan(noise_multiplier=0.5), "batch_size": BATCH},
    "clipped, noise 2": {"noise": NoisePlan(noise_multiplier=2.0), "batch_size": BATCH},
}


def study(folder: Path, plan: Plan, output: Path, wanted: Sequence[str]) -> None:
    """Write ``private_heads.csv``: one row an image and arm, with the epsilon of its hospital.

    `epsilon` is that of the trained fold model, `epsilon_all` the one with all fold models of the plan.
    """
    from federated.weights.averaging import fold_model_of
    from federated.weights.segmenter_site import ImageSite, network_of
    from models.ultrasound.private_training import epsilon
    from studies.in_process import train_image_sites

    section = plan.ultrasound or UltrasoundPlan()
    records = [record for record in hc18.read(folder) if record.same_frame_as is None]
    fold = hashed_folds([record.examination for record in records], section.folds)
    fold_model = FOLD + 1
    cut = section.model_copy(update={"sites": SITES, "rounds": ROUNDS, "local_epochs": 1.0})
    site_of = head_sites(records, cut, plan.seed)

    def make(part: str) -> Rows:
        arm = cut.model_copy(update=ARMS[part])
        with tempfile.TemporaryDirectory() as home:
            sites = []
            for k in range(SITES):
                own = Path(home) / str(k)
                own.mkdir()
                name, site_records = f"site-{k + 1}", records_of(records, site_of == k)
                sites.append(ImageSite(name, site_records, arm, seed=plan.seed, ledger=PrivacyLedger(own)))

            def report(round_number: int, loss: float, size: float) -> None:
                print(f"{part} round {round_number}: loss {loss:.3f}", flush=True)

            network = network_of(
                fold_model_of(train_image_sites(sites, arm, plan.seed, [fold_model], report), fold_model)
            )
            shipped, everything = [], []
            for site in sites:
                shipped.append(site.epsilon)
                steps = site.privacy_steps(range(arm.folds + 1)) if arm.noise else []
                everything.append(epsilon(steps * arm.rounds, arm.noise.delta) if arm.noise else None)
        rows: Rows = []
        for record, k, s in zip(records, fold, site_of, strict=True):
            if k == FOLD:
                spent = {"epsilon": shipped[s], "epsilon_all": everything[s]}
                epsilons = {name: "" if value is None else round(value, 3) for name, value in spent.items()}
                rows.append({**head_row(part, record, int(s) + 1, network), **epsilons})
        return rows

    resume(output / "private_heads.csv", "part", wanted or list(ARMS), make)
