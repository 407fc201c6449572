"""A bundle: a versioned, hashed set of model files. This module loads, verifies and saves bundles.

Trees are stored as UBJSON, the network as ONNX (and as safetensors for further training), the rest as JSON. There is no
pickle. A bundle is written into a temporary folder, which is renamed when it is complete: an incomplete bundle never
stands under its final name. Each file is compared with the SHA-256 of the manifest when the bundle is loaded.
"""

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.ctg.acidaemia import TARGETS, AcidaemiaModel
from models.ctg.calibration import Calibration
from models.ctg.grader import PanelGrader
from models.ctg.pattern import VIEWS, Decision, PatternModel, View
from models.ctg.trees_library import xgboost
from models.drift import Reference
from models.errors import BundleError
from models.fusion.held_out_births import PairedFusion
from models.ultrasound.interval import Intervals
from models.ultrasound.segmentation import Segmenter

FORMAT = 1
MANIFEST = "manifest.json"
SEGMENTER = "head_segmenter.onnx"
WEIGHTS = "head_segmenter.safetensors"
CARD = "MODEL_CARD.md"
ACIDAEMIA_SETTINGS = "acidaemia.json"
GRADER_TREES = "grader.ubj"
GRADER_SETTINGS = "grader.json"


def acidaemia_file(target: str) -> str:
    """Name of the file with the trees of one target of the acidaemia model."""
    return f"acidaemia_{target}.ubj"


GRADER_FILES = (GRADER_TREES, GRADER_SETTINGS)
ACIDAEMIA_FILES = (ACIDAEMIA_SETTINGS, *(acidaemia_file(target.name) for target in TARGETS))


@dataclass(frozen=True)
class FusionSettings:
    """The statistics of the training that fusion needs.

    Attributes
    ----------
    prevalence : float
        Share of pathological rows in the calibration set.
    distress_logit_sd : float
        Standard deviation of the out-of-fold log-odds over the calibration rows.
    thresholds : dict of view to (float, float)
        Raised and high: 80 % and 95 % out-of-fold specificity.
    """

    prevalence: float
    distress_logit_sd: float
    thresholds: dict[View, tuple[float, float]]

    def as_dict(self) -> dict[str, Any]:
        """The settings as the bundle stores them: the stored keys are ``prior`` and ``cuts``."""
        return {"prior": self.prevalence, "distress_logit_sd": self.distress_logit_sd, "cuts": self.thresholds}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "FusionSettings":
        """Read the settings from what `as_dict` gives."""
        thresholds: dict[View, tuple[float, float]] = {view: tuple(values["cuts"][view]) for view in VIEWS}
        return cls(float(values["prior"]), float(values["distress_logit_sd"]), thresholds)


@dataclass(frozen=True)
class Acidaemia:
    """The acidaemia model of a bundle, with the statistics of its training that fusion needs.

    Attributes
    ----------
    models : dict of target name to AcidaemiaModel
    thresholds : dict of target name to (float, float)
        80 % and 95 % out-of-fold specificity.
    prevalence : float
        Share of records with a pH at or below 7.15 in the calibration set.
    logit_sd : float
        Standard deviation of the out-of-fold log-odds of that target.
    training_range : (ndarray, ndarray)
        Lowest and highest of the sites' 0.5th and 99.5th centiles of each feature.
    fusion : PairedFusion
        The rule of fusion learned from births that have a trace, a weight and a pH.
    reference : Reference or None
        Distribution of the features in training, to detect drift.
    """

    models: dict[str, AcidaemiaModel]
    thresholds: dict[str, tuple[float, float]]
    prevalence: float
    logit_sd: float
    training_range: tuple[NDArray[np.float64], NDArray[np.float64]]
    fusion: PairedFusion
    reference: Reference | None


class Bundle:
    """A verified bundle on disk. Each model is loaded when it is first used.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    BundleError
        The manifest is missing or malformed, or a file is missing or differs from it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self.manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        except OSError:
            raise BundleError(f"{folder.name}: no bundle here ({MANIFEST} is missing)") from None
        except (ValueError, RecursionError):
            raise BundleError(f"{folder.name}: {MANIFEST} is not valid JSON") from None
        if not isinstance(self.manifest, dict):
            raise BundleError(f"{folder.name}: {MANIFEST} is no JSON object")
        if self.manifest.get("format") != FORMAT:
            raise BundleError(f"{folder.name}: format {self.manifest.get('format')!r}; this version reads {FORMAT}")
        self.identifier = manifest_identifier(self.manifest)
        listed = self.manifest.get("files")
        if not isinstance(listed, dict) or not all(_is_plain(name) for name in listed):
            raise BundleError(f"{folder.name}: {MANIFEST} lists no files of this folder")
        if wrong := _misshapen(self.manifest):
            raise BundleError(f"{folder.name}: {MANIFEST}: {wrong}")
        for name, expected in listed.items():
            path = folder / name
            if not path.is_file() and name in ACIDAEMIA_FILES:
                continue  # its licence may forbid its use; the bundle works without it
            if not path.is_file():
                raise BundleError(f"{folder.name}: {name} is missing")
            if file_hash(path) != expected:
                raise BundleError(f"{folder.name}: {name} differs from the manifest; the bundle is not used")
        try:
            self._ctg = json.loads((folder / "ctg.json").read_text(encoding="utf-8"))
            self._ultrasound = json.loads((folder / "ultrasound.json").read_text(encoding="utf-8"))
            self.fusion = FusionSettings.from_dict(json.loads((folder / "fusion.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise BundleError(f"{folder.name}: settings cannot be read ({error})") from None

    def _booster(self, name: str) -> xgboost.Booster:
        booster = xgboost.Booster({"nthread": 1})
        try:
            booster.load_model(self.folder / name)
        except xgboost.core.XGBoostError as error:
            raise BundleError(f"{name}: {str(error).splitlines()[0]}") from None
        return booster

    @cached_property
    def pattern(self) -> dict[View, PatternModel]:
        """The pattern model of each view, loaded."""
        models = {}
        for view in VIEWS:
            settings = self._ctg[view]
            models[view] = PatternModel(
                self._booster(f"ctg_{view}.ubj"),
                Calibration.from_dict(settings["calibration"]),
                Decision(tuple(settings["decision"])),
            )
        return models

    @cached_property
    def acidaemia(self) -> Acidaemia | None:
        """The acidaemia model; None when its files are not in the bundle."""
        if not set(ACIDAEMIA_FILES) <= set(self.present_files):
            return None
        try:
            settings = json.loads((self.folder / ACIDAEMIA_SETTINGS).read_text(encoding="utf-8"))
            models = {
                target.name: AcidaemiaModel(
                    self._booster(acidaemia_file(target.name)),
                    Calibration.from_dict(settings["calibration"][target.name]),
                )
                for target in TARGETS
            }
            low, high = settings["training_range"]
            return Acidaemia(
                models=models,
                thresholds={name: (float(pair[0]), float(pair[1])) for name, pair in settings["cuts"].items()},
                prevalence=float(settings["prior"]),
                logit_sd=float(settings["logit_sd"]),
                training_range=(np.array(low), np.array(high)),
                fusion=PairedFusion.from_dict(settings.get("fusion")),
                reference=Reference.from_dict(settings.get("reference")),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BundleError(f"{self.folder.name}: {ACIDAEMIA_SETTINGS} cannot be read ({error})") from None

    @cached_property
    def grader(self) -> PanelGrader | None:
        """The panel grader; None where no hospitals have trained one. No bundle that ships has one."""
        if not set(GRADER_FILES) <= set(self.manifest["files"]):
            return None
        try:
            settings = json.loads((self.folder / GRADER_SETTINGS).read_text(encoding="utf-8"))
            low, high = settings["training_range"]
            return PanelGrader(
                self._booster(GRADER_TREES),
                Calibration.from_dict(settings["calibration"]),
                Decision(tuple(settings["decision"])),
                (np.array(low), np.array(high)),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BundleError(f"{self.folder.name}: {GRADER_SETTINGS} cannot be read ({error})") from None

    @cached_property
    def segmenter(self) -> Segmenter:
        """The head segmenter, loaded."""
        return Segmenter(self.folder / SEGMENTER)

    @cached_property
    def training_range(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lowest and highest of the sites' 0.5th and 99.5th centiles of each CTG feature."""
        low, high = self._ctg["training_range"]
        return np.array(low), np.array(high)

    @cached_property
    def reference(self) -> Reference | None:
        """Distribution of the pattern model's features in training; None in bundles of earlier versions."""
        return Reference.from_dict(self._ctg.get("reference"))

    @property
    def present_files(self) -> list[str]:
        """Files of the manifest that are in the folder. Only files of the acidaemia model can be absent."""
        return [name for name in self.manifest["files"] if (self.folder / name).exists()]

    @cached_property
    def intervals(self) -> Intervals:
        """Conformal intervals of the head's measures."""
        return Intervals.from_dict(self._ultrasound.get("intervals", self._ultrasound))

    @property
    def synthetic(self) -> bool:
        """True when the models were trained on generated data: they allow no statement about patients."""
        return bool(self.manifest["synthetic"])

    def trained_on(self, hashes: set[str]) -> bool:
        """True when any of these SHA-256 hashes is that of a file that the models were trained on."""
        training_files = {entry["sha256"] for data in self.manifest["data"] for entry in data["files"]}
        return bool(training_files & hashes)

    def warm(self) -> "Bundle":
        """Load all models now and return the bundle."""
        _ = self.pattern, self.acidaemia, self.grader, self.segmenter
        return self


# What every manifest says, and of which kind it is.
SHAPE: dict[str, type] = {"name": str, "synthetic": bool, "data": list, "metrics": dict, "plan": dict}


def _misshapen(manifest: Mapping[str, Any]) -> str:
    """What is wrong with the parts of a manifest that others rely on; empty where nothing is."""
    for name, kind in SHAPE.items():
        if not isinstance(manifest.get(name), kind):
            return f"{name} is missing or no {kind.__name__}"
    if not re.fullmatch(r"[\w .:+-]{1,80}", manifest["name"]):
        return "name is empty, too long or holds unusual characters"
    for entry in manifest["data"]:
        files = entry.get("files") if isinstance(entry, dict) else None
        if not isinstance(files, list) or not all(isinstance(file, dict) and "sha256" in file for file in files):
            return "an entry of data names no files"
    return ""


def _is_plain(name: str) -> bool:
    """Whether a name is that of a file in the same folder."""
    return re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name) is not None


def manifest_identifier(manifest: Mapping[str, Any]) -> str:
    """The bundle's identifier: the first 12 hexadecimal digits of the SHA-256 of the canonical manifest."""
    return sha256(json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:12]


def file_hash(path: Path) -> str:
    """SHA-256 of a file as hexadecimal digits."""
    digest = sha256()
    with path.open("rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def save(folder: Path, contents: Mapping[str, bytes], manifest: Mapping[str, Any]) -> Bundle:
    """Write a bundle into a temporary folder beside `folder`, and rename that folder when it is complete.

    Parameters
    ----------
    folder : Path
        Must not exist.
    contents : mapping of str to bytes
        All files except the manifest, by name.
    manifest : mapping
        Without ``format`` and ``files``, which are added here.

    Raises
    ------
    BundleError
        The folder exists already.
    """
    if folder.exists():
        raise BundleError(f"{folder} exists already")
    partial = folder.with_name(folder.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name, content in contents.items():
        (partial / name).write_bytes(content)
    hashes = {name: sha256(content).hexdigest() for name, content in sorted(contents.items())}
    whole = {"format": FORMAT, **manifest, "files": hashes}
    (partial / MANIFEST).write_text(json.dumps(whole, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(partial, folder)
    return Bundle(folder)


def shipped() -> Path:
    """Folder of the bundle that is part of the package."""
    return Path(str(files("models.pretrained")))
