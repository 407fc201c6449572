"""A plan: which models to train, by which strategy, at which sites. Typed, and read from TOML."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.ctg.boosting_settings import BoostingSettings
from models.errors import InputError

# A count of fewer rows than this could point to a person.
SMALL_CELL = 5
Weighting = Literal["examples", "square-root", "class-balanced", "inverse-variance", "equal"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BoostingPlan(_Section):
    """Hyper-parameters of the trees, under the names that XGBoost uses."""

    learning_rate: float = Field(0.1, gt=0, le=1)
    max_depth: int = Field(4, ge=1, le=12)
    min_child_weight: float = Field(2.0, ge=0)
    reg_lambda: float = Field(2.0, ge=0)
    subsample: float = Field(0.8, gt=0, le=1)
    colsample_bynode: float = Field(0.4, gt=0, le=1)

    def settings(self) -> BoostingSettings:
        """The same values as settings of the booster."""
        return BoostingSettings(**self.model_dump())


class AcidaemiaBoosting(BoostingPlan):
    """Hyper-parameters of the outcome model's trees, with the measures that may move the risk one way only.

    A name stands for the measure over every time window.
    """

    rises_with: tuple[str, ...] = ()
    falls_with: tuple[str, ...] = ()


class CompressionPlan(_Section):
    """How a site's update is compressed. "top-k" sends its largest `share` and adds the rest to the next update."""

    kind: Literal["none", "float16", "int8", "top-k"] = "none"
    share: float = Field(0.05, gt=0, le=1)


class AggregationPlan(_Section):
    """How the server combines the sites' weights.

    A robust rule ("trimmed-mean", "krum") protects against wrong replies from a share of `trim` of the sites. It
    needs all replies at once, while the mean is summed as they arrive. "adam" uses the mean update as a gradient
    (FedAdam).
    """

    weights: Weighting = "examples"
    rule: Literal["mean", "trimmed-mean", "krum"] = "mean"
    trim: float = Field(0.2, gt=0, lt=0.5)
    server: Literal["none", "adam"] = "none"
    server_learning_rate: float = Field(0.003, gt=0)
    norm_limit: float = Field(5.0, gt=1)
    minimum_sites: int = Field(2, ge=1)


class TreePlan(_Section):
    """Federated boosting: the settings that the two CTG models have in common.

    A site proposes no leaf with fewer than `min_leaf_rows` rows. It adds the sums of leaves with fewer than
    `merge_below` rows to those of a neighbouring leaf (1: no merging, where sums are aggregated securely). With many
    sites only `proposers` of them propose trees in a round; they take turns. With `best_round` the training ends, for
    each model, at the round whose out-of-fold predictions are best.
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

    def without_suppression(self) -> Self:
        """The same settings without merging of small leaves: central training is XGBoost's own."""
        return self.model_copy(update={"min_leaf_rows": 1, "merge_below": 1})


class CtgPlan(TreePlan):
    """Training of the pattern model on tables of CTG features."""

    partition: Literal["dirichlet", "family"] = "dirichlet"
    class_weights: tuple[float, float, float] = (1.0, 2.0, 3.0)


class AcidaemiaPlan(TreePlan):
    """Training of the acidaemia model on raw labour traces with an umbilical pH."""

    partition: Literal["dirichlet"] = "dirichlet"
    alpha: float = Field(2.0, gt=0)
    boosting: AcidaemiaBoosting = AcidaemiaBoosting()


class GraderPlan(TreePlan):
    """Training of the panel grader on windows that a hospital's own panel has read. `class_weights` are by reading."""

    partition: Literal["dirichlet"] = "dirichlet"
    sites: int = Field(3, ge=2, le=1000)
    alpha: float = Field(2.0, gt=0)
    class_weights: tuple[float, float, float] = (1.0, 2.0, 3.0)


class FusionPlan(_Section):
    """How distress and growth are fused into one score.

    The fusion is learned with [acidaemia], from births with a weight.

    "best" is pooling, unless stacking or the noisy-OR is significantly better on held-out births. The weights are
    used by pooling.
    """

    method: Literal["best", "pooling", "stacked", "noisy-or"] = "best"
    distress_weight: float = Field(1.0, ge=0, le=1)
    growth_weight: float = Field(1.0, ge=0, le=1)


class NoisePlan(_Section):
    """Differential privacy for single images (DP-SGD): gradients are clipped, and noise is added to their sum.

    `max_epsilon` limits the epsilon in a site's privacy ledger over all runs. A site that has reached it refuses
    further rounds.
    """

    noise_multiplier: float = Field(gt=0)
    clipping_norm: float = Field(1.0, gt=0)
    delta: float = Field(1e-5, gt=0, lt=0.1)
    max_epsilon: float | None = Field(None, gt=0)


class UltrasoundPlan(_Section):
    """Federated averaging of the head segmenter.

    Beside the model that learns from every examination, ``folds`` fold models each leave one fold out. Their errors on
    the fold that they left out give the intervals, the figures that the gate checks, and the evidence.
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


class PartitionPlan(_Section):
    """How the data set of one modality is divided among simulated sites, as in the modality's own section."""

    sites: int = Field(4, ge=1, le=1000)
    partition: Literal["dirichlet", "family", "trimester", "scale"] = "dirichlet"
    alpha: float = Field(1.0, gt=0)


class SharedPlan(_Section):
    """One representation of CTG tables, labour traces and scans.

    It has an encoder for each of them, a shared trunk, and a head for each task.

    "multi-task" trains all sites together. "transfer" trains the sites of `source` first, and then the others from
    its trunk. "separate" shares nothing; the other two are compared with it. `align` brings the embeddings of the
    same growth class closer together. `rounds` is the number of rounds of each stage.
    """

    mode: Literal["multi-task", "transfer", "separate"]
    source: Literal["ctg", "ultrasound"] = "ctg"
    align: tuple[Literal["prototypes", "coral", "cca"], ...] = ()
    align_strength: float = Field(0.1, gt=0)
    freeze_trunk: bool = False
    personal_heads: bool = False
    table: PartitionPlan | None = None
    trace: PartitionPlan | None = None
    scan: PartitionPlan | None = None
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


def fold_models_of(plan: UltrasoundPlan | SharedPlan) -> range:
    """Numbers of the fold models: model 0 learns from all rows, each of the others leaves one fold out."""
    return range(plan.folds + 1)


class ParticipationPlan(_Section):
    """Which sites take part in a run, how many it needs, and how long it waits for them.

    `sites` names the hospitals of a run between hospitals; no other hospital gets a message. Without `minimum_sites`
    every site is needed. With it, a site that fails or does not answer leaves the run, as long as this many sites of
    its modality are left. Hospitals have `approve_within_s` seconds to approve plan and code.
    """

    sites: tuple[str, ...] = ()
    minimum_sites: int | None = Field(None, ge=1)
    approve_within_s: float = Field(3600.0, gt=0)
    connect_within_s: float = Field(120.0, gt=0)
    answer_within_s: float = Field(3600.0, gt=0)


class PrivacyPlan(_Section):
    """What the server may see. With `secure_sums` it sees only the sum over sites of everything that is added up.

    This covers leaf sums, weights of the segmenter, calibration, fusion and the reference distributions for drift. It
    does not cover the proposed splits, nor the figures of each site that the gate checks.
    """

    secure_sums: bool = False


class GatePlan(_Section):
    """How much worse than the bundle in service a candidate may be, overall and at any one site.

    At no site may the number of events differ from the number that the model predicts by more than
    `max_site_calibration_z` standard errors, unless the bundle in service differs as much. With
    `never_worse_than_local` no site may get a model that is significantly worse than the one that it would have
    trained alone.
    """

    max_macro_f1_loss: float = Field(0.05, ge=0)
    max_mae_mm_increase: float = Field(0.3, ge=0)
    max_site_macro_f1_loss: float = Field(0.15, ge=0)
    max_auc_loss: float = Field(0.03, ge=0)
    max_site_mae_mm_increase: float = Field(1.0, ge=0)
    max_site_calibration_z: float = Field(4.0, gt=0)
    never_worse_than_local: bool = True


class Plan(_Section):
    """A plan of a training. A model without a section is not trained; the one in service is kept."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,60}$")
    seed: int = Field(ge=0)
    synthetic: bool = False
    ctg: CtgPlan | None = None
    acidaemia: AcidaemiaPlan | None = None
    grader: GraderPlan | None = None
    ultrasound: UltrasoundPlan | None = None
    shared: SharedPlan | None = None
    fusion: FusionPlan = FusionPlan()
    participation: ParticipationPlan = ParticipationPlan()
    privacy: PrivacyPlan = PrivacyPlan()
    gate: GatePlan = GatePlan()

    def modalities(self) -> list[str]:
        """The modalities that sites of this plan hold."""
        shared = self.shared or SharedPlan(mode="multi-task")
        parts = (
            ("ctg", self.ctg or shared.table),
            ("acidaemia", self.acidaemia or shared.trace),
            ("grader", self.grader),
            ("ultrasound", self.ultrasound or shared.scan),
        )
        return [name for name, part in parts if part is not None]

    def trees(self) -> list[tuple[str, TreePlan]]:
        """The sections that train trees, by modality."""
        sections: tuple[tuple[str, TreePlan | None], ...] = (
            ("ctg", self.ctg),
            ("acidaemia", self.acidaemia),
            ("grader", self.grader),
        )
        return [(modality, section) for modality, section in sections if section is not None]


def load(path: Path) -> Plan:
    """Read and check a plan; a process parses the same text once.

    Raises
    ------
    InputError
        The file is missing, is not TOML, or holds an unknown or impossible value (the message names it).
    """
    try:
        return _from_toml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"plan {path}: cannot be read ({error})") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"plan {path}: not valid TOML ({error})") from None
    except InputError as error:
        raise InputError(f"plan {path}: {error}") from None


@lru_cache(maxsize=64)
def _from_toml(text: str) -> Plan:
    content = tomllib.loads(text)
    try:
        plan = Plan.model_validate(content)
    except ValidationError as error:
        raise _refusal(error) from None
    _check(plan)
    return plan


@lru_cache(maxsize=64)
def plan_from_json(text: str) -> Plan:
    """The plan that a message carries; a process parses the same text once.

    Raises
    ------
    ValueError
        The text is no plan of this release.
    """
    return Plan.model_validate_json(text)


def as_toml(plan: Plan) -> str:
    """The plan as TOML: the values that were set, without defaults. `load` gives an equal plan."""
    return "\n".join(_toml_lines(plan.model_dump(mode="json", exclude_unset=True, exclude_none=True))) + "\n"


def _toml_lines(section: Mapping[str, Any], name: str = "") -> list[str]:
    values = {key: value for key, value in section.items() if not isinstance(value, dict)}
    lines = [f"\n[{name}]"] if name else []
    # Strings, numbers and lists are written alike in JSON and in TOML.
    lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    for key, value in section.items():
        if isinstance(value, dict):
            lines += _toml_lines(value, f"{name}.{key}" if name else key)
    return lines


def between_hospitals(
    plan: Plan, sites: Sequence[str], approve_within_s: float, minimum_sites: int | None = None
) -> Plan:
    """The plan as a run between these hospitals.

    Raises
    ------
    InputError
        The plan has a [participation] of its own, or `minimum_sites` is impossible.
    """
    if "participation" in plan.model_fields_set:
        raise InputError(f"plan {plan.name} has a [participation] of its own: start it from the command line")
    settings = {"sites": tuple(sorted(sites)), "approve_within_s": approve_within_s}
    if minimum_sites:
        settings["minimum_sites"] = minimum_sites
    try:
        participation = ParticipationPlan.model_validate(settings)
    except ValidationError as error:
        raise InputError(f"plan {plan.name}: {_refusal(error, 'participation')}") from None
    return plan.model_copy(update={"participation": participation})


def _refusal(error: ValidationError, *section: str) -> InputError:
    first = error.errors()[0]
    place = ".".join(str(part) for part in (*section, *first["loc"]))
    return InputError(f"{place}: {first['msg']}")


def _check(plan: Plan) -> None:
    """Refuse a plan whose sections do not fit together."""
    if plan.privacy.secure_sums:
        _check_additive(plan)
    own = bool(plan.trees()) or plan.ultrasound is not None
    if not own and plan.shared is None:
        raise InputError("none of [ctg], [acidaemia], [grader], [ultrasound], [shared] is there: nothing to train")
    if plan.shared is not None:
        if own:
            raise InputError("[shared] is a study of its own: put the other sections into another plan")
        if sum(part is not None for part in (plan.shared.table, plan.shared.trace, plan.shared.scan)) < 2:
            raise InputError("shared: at least two of [shared.table], [shared.trace], [shared.scan]")


def _check_additive(plan: Plan) -> None:
    """Refuse secure sums for a training whose aggregation is not a sum."""
    if plan.shared is not None:
        raise InputError("privacy.secure_sums: not for [shared], whose sites hold different parts")
    if plan.ultrasound is None:
        return
    rule, compression = plan.ultrasound.aggregation, plan.ultrasound.compression
    if rule.rule != "mean" or rule.weights != "examples":
        raise InputError(f"privacy.secure_sums: only the mean by examples is a sum, not {rule.rule} rules")
    if compression.kind != "none":
        raise InputError("privacy.secure_sums: compressed updates cannot be masked; take kind none")


def shipped_plans() -> dict[str, Path]:
    """Plans that come with the package, by name."""
    folder = Path(str(files("plans")))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}
