"""What to train, with which strategy, on which sites: a typed plan read from TOML."""

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.ctg.boosting import BoostingSettings
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


class TreePlan(_Section):
    """Federated boosting: what the two CTG models have in common."""

    strategy: Literal["refitted-trees", "weighted-bagging"] = "refitted-trees"
    sites: int = Field(5, ge=2, le=100)
    alpha: float = Field(0.5, gt=0)
    rounds: int = Field(120, ge=1, le=1000)
    calibration_folds: int = Field(4, ge=2, le=10)
    boosting: BoostingPlan = BoostingPlan()


class CtgPlan(TreePlan):
    """The pattern model, on tables."""

    partition: Literal["dirichlet", "family"] = "dirichlet"
    class_weights: tuple[float, float, float] = (1.0, 2.0, 3.0)


class AcidaemiaPlan(TreePlan):
    """The acidaemia model, on raw labour traces with an umbilical pH."""

    partition: Literal["dirichlet"] = "dirichlet"
    alpha: float = Field(2.0, gt=0)


class UltrasoundPlan(_Section):
    """Federated averaging of the head segmenter.

    With ``folds`` lanes beside the one that learns from every examination: each leaves a fold out, and its errors there
    give the intervals, the gate's figures and the evidence.
    """

    sites: int = Field(3, ge=1, le=100)
    partition: Literal["dirichlet", "trimester", "scale"] = "dirichlet"
    alpha: float = Field(2.0, gt=0)
    rounds: int = Field(60, ge=1, le=1000)
    local_epochs: int = Field(1, ge=1, le=50)
    learning_rate: float = Field(2e-3, gt=0)
    batch_size: int = Field(4, ge=1, le=256)
    folds: int = Field(5, ge=2, le=10)


class GatePlan(_Section):
    """How much worse than the bundle in service a candidate may be, overall and at any one site."""

    max_macro_f1_loss: float = Field(0.05, ge=0)
    max_mae_mm_increase: float = Field(0.3, ge=0)
    max_site_macro_f1_loss: float = Field(0.15, ge=0)
    max_auc_loss: float = Field(0.03, ge=0)
    max_site_mae_mm_increase: float = Field(1.0, ge=0)


class Plan(_Section):
    """A retraining. A modality without a section is not trained and keeps the model in service."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,60}$")
    seed: int = Field(ge=0)
    synthetic: bool = False
    ctg: CtgPlan | None = None
    acidaemia: AcidaemiaPlan | None = None
    ultrasound: UltrasoundPlan | None = None
    gate: GatePlan = GatePlan()

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
    if plan.ctg is None and plan.acidaemia is None and plan.ultrasound is None:
        raise InputError(f"plan {path}: none of [ctg], [acidaemia], [ultrasound] is there: nothing to train")
    return plan
