"""What to train, with which strategy, on which sites: a typed plan read from TOML."""

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from federated.privacy.small_cells import SMALL_CELL
from federated.weights.weighting import Weighting
from models.ctg.boosting_settings import BoostingSettings
from models.errors import InputError


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BoostingPlan(_Section):
    """Hyper-parameters of the trees (XGBoost's own names in `models.ctg.boosting`)."""

    learning_rate: float = Field(0.1, gt=0, le=1)
    max_depth: int = Field(4, ge=1, le=12)
    min_child_weight: float = Field(2.0, ge=0)
    reg_lambda: float = Field(2.0, ge=0)
    subsample: float = Field(0.8, gt=0, le=1)
    colsample_bynode: float = Field(0.4, gt=0, le=1)

    def settings(self) -> BoostingSettings:
        """As the model wants them."""
        return BoostingSettings(**self.model_dump())


class CompressionPlan(_Section):
    """How a site's update travels. "top-k" sends the largest `share` of it and keeps the rest for the next round."""

    kind: Literal["none", "float16", "int8", "top-k"] = "none"
    share: float = Field(0.05, gt=0, le=1)


class AggregationPlan(_Section):
    """What the server makes of the sites' weights.

    A robust rule ("trimmed-mean", "krum") guards against a `trim` share of wrong sites and needs all replies at once;
    the mean is summed as they come. "adam" takes the mean update as a gradient (FedAdam).
    """

    weights: Weighting = "examples"
    rule: Literal["mean", "trimmed-mean", "krum"] = "mean"
    trim: float = Field(0.2, gt=0, lt=0.5)
    server: Literal["none", "adam"] = "none"
    server_learning_rate: float = Field(0.003, gt=0)
    norm_limit: float = Field(5.0, gt=1)
    minimum_sites: int = Field(2, ge=1)


class TreePlan(_Section):
    """Federated boosting: what the two CTG models have in common.

    A site proposes no leaf of fewer than `min_leaf_rows` rows, and tells the sums of leaves with fewer than
    `merge_below` together with a neighbour's (1: as they are, where sums are aggregated securely). With many sites
    only `proposers` of them, in turn, propose trees in a round. With `best_round` the trees end where the rows that
    the lanes leave out are predicted best.
    """

    strategy: Literal["refitted-trees", "weighted-bagging"] = "refitted-trees"
    weights: Literal["examples", "square-root", "equal"] = "examples"
    sites: int = Field(5, ge=2, le=1000)
    alpha: float = Field(0.5, gt=0)
    rounds: int = Field(120, ge=1, le=1000)
    best_round: bool = False
    proposers: int = Field(8, ge=1, le=100)
    min_leaf_rows: int = Field(SMALL_CELL, ge=1, le=100)
    merge_below: int = Field(SMALL_CELL, ge=1, le=100)
    calibration_folds: int = Field(4, ge=2, le=10)
    boosting: BoostingPlan = BoostingPlan()

    def without_floors(self) -> Self:
        """Of one site, which has nobody to hide its leaves from: central training is XGBoost's own."""
        return self.model_copy(update={"min_leaf_rows": 1, "merge_below": 1})


class CtgPlan(TreePlan):
    """The pattern model, on tables."""

    partition: Literal["dirichlet", "family"] = "dirichlet"
    class_weights: tuple[float, float, float] = (1.0, 2.0, 3.0)


class AcidaemiaPlan(TreePlan):
    """The acidaemia model, on raw labour traces with an umbilical pH."""

    partition: Literal["dirichlet"] = "dirichlet"
    alpha: float = Field(2.0, gt=0)


class FusionPlan(_Section):
    """How distress and growth become one score, learned where [acidaemia] is trained on births with a weight.

    "best" is pooling, unless stacking or the noisy-OR is better on held-out births beyond chance. The weights are those
    of pooling.
    """

    method: Literal["best", "pooling", "stacked", "noisy-or"] = "best"
    distress_weight: float = Field(1.0, ge=0, le=1)
    growth_weight: float = Field(1.0, ge=0, le=1)


class NoisePlan(_Section):
    """Differential privacy for single images (DP-SGD): gradients are clipped, and noise is added to their sum.

    `max_epsilon` is the most that a site's ledger may hold over all runs; it answers no further round then.
    """

    noise_multiplier: float = Field(gt=0)
    clipping_norm: float = Field(1.0, gt=0)
    delta: float = Field(1e-5, gt=0, lt=0.1)
    max_epsilon: float | None = Field(None, gt=0)


class UltrasoundPlan(_Section):
    """Federated averaging of the head segmenter.

    With ``folds`` lanes beside the one that learns from every examination: each leaves a fold out, and its errors there
    give the intervals, the gate's figures and the evidence.
    """

    sites: int = Field(3, ge=1, le=1000)
    partition: Literal["dirichlet", "trimester", "scale"] = "dirichlet"
    alpha: float = Field(2.0, gt=0)
    rounds: int = Field(60, ge=1, le=1000)
    local_epochs: float = Field(1, gt=0, le=50)
    learning_rate: float = Field(2e-3, gt=0)
    batch_size: int = Field(4, ge=1, le=256)
    proximal_mu: float = Field(0.0, ge=0)
    folds: int = Field(5, ge=2, le=10)
    noise: NoisePlan | None = None
    aggregation: AggregationPlan = AggregationPlan()
    compression: CompressionPlan = CompressionPlan()


class Cut(_Section):
    """How one modality is cut into sites, as in its own section."""

    sites: int = Field(4, ge=1, le=1000)
    partition: Literal["dirichlet", "family", "trimester", "scale"] = "dirichlet"
    alpha: float = Field(1.0, gt=0)


class SharedPlan(_Section):
    """One representation of CTG tables, labour traces and scans: encoders, a shared trunk, a head a task.

    "multi-task" trains all sites together; "transfer" the sites of `source` first, then the others from its trunk;
    "separate" shares nothing (what the others are compared with). `align` draws the embeddings of growth classes
    together. `rounds` are those of each stage.
    """

    mode: Literal["multi-task", "transfer", "separate"]
    source: Literal["ctg", "ultrasound"] = "ctg"
    align: tuple[Literal["prototypes", "coral", "cca"], ...] = ()
    align_strength: float = Field(0.1, gt=0)
    freeze_trunk: bool = False
    personal_heads: bool = False
    table: Cut | None = None
    trace: Cut | None = None
    scan: Cut | None = None
    rounds: int = Field(60, ge=1, le=1000)
    local_epochs: int = Field(1, ge=1, le=50)
    learning_rate: float = Field(3e-3, gt=0)
    batch_size: int = Field(32, ge=2, le=256)
    proximal_mu: float = Field(0.0, ge=0)
    folds: int = Field(5, ge=2, le=10)
    cca_dimensions: int = Field(2, ge=1, le=8)
    cca_draws: int = Field(12, ge=1, le=100)
    class_weights: tuple[float, float, float] = (1.0, 2.0, 3.0)
    aggregation: AggregationPlan = AggregationPlan()
    compression: CompressionPlan = CompressionPlan()


def lanes_of(plan: UltrasoundPlan | SharedPlan) -> range:
    """Lane numbers: 0 for the one that learns from everything, then one a fold."""
    return range(plan.folds + 1)


class ParticipationPlan(_Section):
    """Which sites a run asks, how many it needs, and how long it waits for them.

    `sites` names the hospitals of a run between hospitals; nobody else gets a message. Without `minimum_sites` every
    site is needed. With it, a site that fails or stays silent leaves the run, by name, as long as so many of its
    modality are left. Hospitals have `approve_within_s` to approve plan and code.
    """

    sites: tuple[str, ...] = ()
    minimum_sites: int | None = Field(None, ge=1)
    approve_within_s: float = Field(3600.0, gt=0)
    connect_within_s: float = Field(120.0, gt=0)
    answer_within_s: float = Field(3600.0, gt=0)


class PrivacyPlan(_Section):
    """What the server may see. With `secure_sums` it sees sums over sites only, of whatever is added up.

    Leaf sums, weights of the segmenter, calibration, fusion, references of drift; not proposed splits and not the
    figures that the gate judges each site by.
    """

    secure_sums: bool = False


class GatePlan(_Section):
    """How much worse than the bundle in service a candidate may be, overall and at any one site.

    At no site may the events lie more than `max_site_calibration_z` standard errors from those that its probabilities
    promise there, unless the bundle in service is as far off. With `never_worse_than_local` no site may be left with a
    model that is worse, beyond chance, than the one that it would have trained alone.
    """

    max_macro_f1_loss: float = Field(0.05, ge=0)
    max_mae_mm_increase: float = Field(0.3, ge=0)
    max_site_macro_f1_loss: float = Field(0.15, ge=0)
    max_auc_loss: float = Field(0.03, ge=0)
    max_site_mae_mm_increase: float = Field(1.0, ge=0)
    max_site_calibration_z: float = Field(4.0, gt=0)
    never_worse_than_local: bool = True


class Plan(_Section):
    """A retraining. A modality without a section is not trained and keeps the model in service."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,60}$")
    seed: int = Field(ge=0)
    synthetic: bool = False
    ctg: CtgPlan | None = None
    acidaemia: AcidaemiaPlan | None = None
    ultrasound: UltrasoundPlan | None = None
    shared: SharedPlan | None = None
    fusion: FusionPlan = FusionPlan()
    participation: ParticipationPlan = ParticipationPlan()
    privacy: PrivacyPlan = PrivacyPlan()
    gate: GatePlan = GatePlan()

    def modalities(self) -> list[str]:
        """What sites of this plan hold."""
        shared = self.shared or SharedPlan(mode="multi-task")
        parts = (
            ("ctg", self.ctg or shared.table),
            ("acidaemia", self.acidaemia or shared.trace),
            ("ultrasound", self.ultrasound or shared.scan),
        )
        return [name for name, part in parts if part is not None]

    def trees(self) -> list[tuple[str, TreePlan]]:
        """The sections that train trees, by modality."""
        sections: tuple[tuple[str, TreePlan | None], ...] = (("ctg", self.ctg), ("acidaemia", self.acidaemia))
        return [(modality, section) for modality, section in sections if section is not None]


def load(path: Path) -> Plan:
    """Read and check a plan.

    Raises
    ------
    InputError
        The file is missing, is not TOML, or holds an unknown or impossible value (the message names it).
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"plan {path}: cannot be read ({error})") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"plan {path}: not valid TOML ({error})") from None
    try:
        plan = Plan.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"plan {path}: {where}: {first['msg']}") from None
    if plan.privacy.secure_sums:
        _check_additive(path, plan)
    own = plan.ctg is not None or plan.acidaemia is not None or plan.ultrasound is not None
    if not own and plan.shared is None:
        raise InputError(f"plan {path}: none of [ctg], [acidaemia], [ultrasound], [shared] is there: nothing to train")
    if plan.shared is not None:
        if own:
            raise InputError(f"plan {path}: [shared] is a study of its own: put the other sections into another plan")
        if sum(part is not None for part in (plan.shared.table, plan.shared.trace, plan.shared.scan)) < 2:
            raise InputError(f"plan {path}: shared: at least two of [shared.table], [shared.trace], [shared.scan]")
    return plan


def _check_additive(path: Path, plan: Plan) -> None:
    """Refuse to sum under masks what is not a sum."""
    if plan.shared is not None:
        raise InputError(f"plan {path}: privacy.secure_sums: not for [shared], whose sites hold different parts")
    if plan.ultrasound is None:
        return
    rule, compression = plan.ultrasound.aggregation, plan.ultrasound.compression
    if rule.rule != "mean" or rule.weights != "examples":
        raise InputError(f"plan {path}: privacy.secure_sums: only the mean by examples is a sum, not {rule.rule} rules")
    if compression.kind != "none":
        raise InputError(f"plan {path}: privacy.secure_sums: compressed updates cannot be masked; take kind none")


def shipped_plans() -> dict[str, Path]:
    """Plans that come with the package, by name."""
    folder = Path(str(files("plans")))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}
