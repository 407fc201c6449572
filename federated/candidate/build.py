"""From the results of a run to a candidate bundle: files, manifest, model card, and metrics of each site."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import numpy as np

from federated.candidate.site_calibration import site_calibration
from federated.plan import Plan
from federated.run.folder import RunFolder
from federated.trees.saved import final_trees
from federated.trees.summaries import (
    DECISIONS,
    against_local,
    auc,
    best_decision,
    kappa,
    macro_f1,
    specificity_threshold,
)
from federated.trees.tasks import PANEL
from federated.weights.averaging import fold_model_of
from federated.weights.segmenter_site import ALL, network_of
from models.bundle import (
    ACIDAEMIA_FILES,
    ACIDAEMIA_SETTINGS,
    CARD,
    GRADER_FILES,
    GRADER_SETTINGS,
    GRADER_TREES,
    SEGMENTER,
    WEIGHTS,
    Bundle,
    FusionSettings,
    acidaemia_file,
    save,
)
from models.card import licence, model_card
from models.ctg.acidaemia import MILD, TARGETS
from models.ctg.boosting import booster_from
from models.ctg.features import FEATURE_NAMES
from models.ctg.pattern import VIEWS, View
from models.ctg.trace_features import TRACE_FEATURE_NAMES
from models.errors import InputError
from models.ultrasound.export import to_onnx, to_safetensors
from models.ultrasound.interval import Intervals, empty_counts
from models.version import code_version

CTG_FILES = ("ctg.json", "fusion.json", *(f"ctg_{view}.ubj" for view in VIEWS))
ULTRASOUND_FILES = ("ultrasound.json", SEGMENTER, WEIGHTS)


def build(
    run: RunFolder,
    plan: Plan,
    data: list[dict[str, Any]],
    results: Mapping[str, Any],
    incumbent: Bundle | None,
    lineage: Mapping[str, Any],
) -> Bundle:
    """Write the candidate; a model that was not trained is taken over from the bundle in service.

    Parameters
    ----------
    run : RunFolder
    plan : Plan
    data : list of dict
        Where the rows of each modality came from.
    results : mapping
        Results of the training, as in ``results.json``.
    incumbent : Bundle or None
    lineage : mapping
        How the bundle was made: run, plan and code by hash, rounds, federation.
    """
    contents: dict[str, bytes] = {}
    manifest: dict[str, Any] = {
        "name": plan.name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "code_version": code_version(),
        "plan": plan.model_dump(mode="json"),
        "parent": incumbent.identifier if incumbent else None,
        "lineage": dict(lineage),
        "data": list(data),
        "training": {},
        "metrics": {},
        "sites": {},
    }
    parts = (
        ("ctg", CTG_FILES, _ctg),
        ("acidaemia", ACIDAEMIA_FILES, _acidaemia),
        ("grader", GRADER_FILES, _grader),
        ("ultrasound", ULTRASOUND_FILES, _ultrasound),
    )
    for modality, names, make in parts:
        if modality in results:
            files, metrics, site_metrics = make(run, plan, results[modality])
            contents |= files
            manifest["metrics"][modality] = metrics
            manifest["sites"][modality] = site_metrics
            manifest["training"][modality] = {"plan": plan.name, **getattr(plan, modality).model_dump(mode="json")}
        elif incumbent is not None and modality in incumbent.manifest["metrics"]:
            contents |= {name: (incumbent.folder / name).read_bytes() for name in names}
            manifest["metrics"][modality] = incumbent.manifest["metrics"][modality]
            manifest["sites"][modality] = incumbent.manifest["sites"][modality]
            manifest["training"][modality] = _training_of(incumbent, modality)
            manifest["data"] += [entry for entry in incumbent.manifest["data"] if entry["modality"] == modality]
    if "lost" in results:
        manifest["lost_sites"] = results["lost"]
    manifest["synthetic"] = any(entry["name"].startswith("synthetic") for entry in manifest["data"])
    manifest["lineage"]["model"] = model_hash(contents)
    manifest = json.loads(json.dumps(manifest, sort_keys=True))  # the order in which it is stored
    contents[CARD] = model_card(manifest).encode()
    contents["LICENSE"] = licence(manifest, sorted(contents)).encode()
    return save(run.candidate, contents, manifest)


def require_complete(plan: Plan, incumbent: Bundle | None) -> None:
    """Refuse a plan, before training, whose candidate would lack a model that every bundle has.

    Raises
    ------
    InputError
        The message names the missing section.
    """
    for modality in ("ctg", "ultrasound"):
        if getattr(plan, modality) is None and (incumbent is None or modality not in incumbent.manifest["metrics"]):
            raise InputError(
                f"the plan has no [{modality}] and there is no bundle in service to take it from: add a section, or "
                "name a bundle with --incumbent"
            )


def model_hash(contents: Mapping[str, bytes]) -> str:
    """SHA-256 over a bundle's files: the same for the same models, whenever and wherever they were trained."""
    digest = sha256()
    for name, content in sorted(contents.items()):
        digest.update(f"{name}\0".encode() + sha256(content).digest())
    return digest.hexdigest()


def _training_of(incumbent: Bundle, modality: str) -> dict[str, Any]:
    """How a model that is taken over was trained; for older bundles, which do not record it, what their plan says."""
    recorded = incumbent.manifest.get("training", {}).get(modality)
    own = incumbent.manifest["plan"].get(modality)
    return dict(recorded or ({"plan": incumbent.manifest["plan"]["name"], **own} if own else {"plan": "not recorded"}))


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()


# Files, overall metrics, and metrics of each site.
Part = tuple[dict[str, bytes], dict[str, Any], dict[str, Any]]


def _ctg(run: RunFolder, plan: Plan, results: Mapping[str, Any]) -> Part:
    assert plan.ctg is not None
    sites = results["sites"]
    trees = final_trees(run, "ctg", plan.ctg)
    files = {f"ctg_{view}.ubj": bytes(booster_from(trees[view]).save_raw("ubj")) for view in VIEWS}
    counts = {view: np.array([site[f"{view}-confusions"] for site in sites.values()]) for view in VIEWS}
    counts = {view: values.reshape(len(sites), len(DECISIONS), 3, 3) for view, values in counts.items()}
    rule = {view: best_decision(counts[view].sum(axis=0)) for view in VIEWS}
    settings: dict[str, Any] = {
        view: {"calibration": results["calibration"][view], "decision": list(DECISIONS[rule[view]].weights)}
        for view in VIEWS
    }
    settings["training_range"] = _range(sites)
    settings["reference"] = results["reference"]
    settings["features"] = list(FEATURE_NAMES)
    files["ctg.json"] = _json(settings)
    thresholds: dict[View, tuple[float, float]] = {view: _thresholds(sites, view) for view in VIEWS}
    calibration = results["calibration"]["table"]
    fusion = FusionSettings(calibration["events"] / calibration["rows"], _logit_sd(sites, "table"), thresholds)
    files["fusion.json"] = _json(fusion.as_dict())
    metrics = {
        "basis": "out-of-fold women at the sites; calibration and rule were fitted on the same women",
        "rows": calibration["rows"],
        "events": calibration["events"],
        "women": calibration["women"],
        "cuts": {view: list(thresholds[view]) for view in VIEWS},  # a key of the manifest
        **{f"macro_f1_{view}": _f1(counts[view][:, rule[view]].sum(axis=0)) for view in VIEWS},
    }
    per_site = {
        name: {
            **results["nodes"][name],
            **{f"macro_f1_{view}": _f1(counts[view][position, rule[view]]) for view in VIEWS},
            **_local(sites[name], VIEWS),
            **_calibrated(sites[name], VIEWS, results["nodes"][name]["groups"]),
        }
        for position, name in enumerate(sites)
    }
    return files, metrics, per_site


def _acidaemia(run: RunFolder, plan: Plan, results: Mapping[str, Any]) -> Part:
    assert plan.acidaemia is not None
    sites = results["sites"]
    trees = final_trees(run, "acidaemia", plan.acidaemia)
    names = [target.name for target in TARGETS]
    files = {acidaemia_file(name): bytes(booster_from(trees[name]).save_raw("ubj")) for name in names}
    mild = results["calibration"][MILD.name]
    settings = {
        "calibration": {name: results["calibration"][name] for name in names},
        "cuts": {name: _thresholds(sites, name) for name in names},
        "prior": mild["events"] / mild["rows"],
        "logit_sd": _logit_sd(sites, MILD.name),
        "training_range": _range(sites),
        "reference": results["reference"],
        "features": list(TRACE_FEATURE_NAMES),
    }
    fusion = results["fusion"]
    if fusion is not None:
        settings["fusion"] = fusion["settings"]
    files[ACIDAEMIA_SETTINGS] = _json(settings)
    metrics = {
        "basis": "out-of-fold records at the sites; the calibration was fitted on the same records",
        "records": mild["rows"],
        **{f"events_{name}": results["calibration"][name]["events"] for name in names},
        **{
            f"auc_{name}": round(auc(_total(sites, f"{name}-negatives"), _total(sites, f"{name}-positives")), 4)
            for name in names
        },
        **({f"fusion_{key}": value for key, value in fusion["metrics"].items()} if fusion is not None else {}),
    }
    per_site = {
        name: {
            **results["nodes"][name],
            **_local(sites[name], names),
            **_calibrated(sites[name], names, results["nodes"][name]["groups"]),
        }
        for name in sites
    }
    return files, metrics, per_site


def _grader(run: RunFolder, plan: Plan, results: Mapping[str, Any]) -> Part:
    assert plan.grader is not None
    sites = results["sites"]
    trees = final_trees(run, "grader", plan.grader)
    counts = np.array([site[f"{PANEL}-confusions"] for site in sites.values()]).reshape(len(sites), -1, 3, 3)
    rule = best_decision(counts.sum(axis=0))
    calibration = results["calibration"][PANEL]
    settings = {
        "calibration": calibration,
        "decision": list(DECISIONS[rule].weights),
        "training_range": _range(sites),
        "features": list(TRACE_FEATURE_NAMES),
    }
    files = {GRADER_TREES: bytes(booster_from(trees[PANEL]).save_raw("ubj")), GRADER_SETTINGS: _json(settings)}
    metrics = {
        "basis": "out-of-fold women at the sites; calibration and rule were fitted on the same women",
        "windows": calibration["rows"],
        "pathological": calibration["events"],
        "women": calibration["women"],
        "kappa": kappa(counts[:, rule].sum(axis=0)),
        "macro_f1": _f1(counts[:, rule].sum(axis=0)),
    }
    per_site = {
        name: {
            **results["nodes"][name],
            "macro_f1": _f1(counts[position, rule]),
            **_local(sites[name], (PANEL,)),
            **_calibrated(sites[name], (PANEL,), results["nodes"][name]["groups"]),
        }
        for position, name in enumerate(sites)
    }
    return files, metrics, per_site


def _local(site: Mapping[str, Any], targets: Iterable[str]) -> dict[str, Any]:
    """Comparison of the federated model with the site's own, by target, where the plan asks for it and rows suffice."""
    comparisons = {target: against_local(site[f"{target}-local"]) for target in targets if f"{target}-local" in site}
    return {f"against_local_{target}": figures for target, figures in comparisons.items() if figures is not None}


def _calibrated(site: Mapping[str, Any], targets: Iterable[str], groups: int) -> dict[str, Any]:
    """Events at the site compared with those expected there, by target."""
    calibrations = {t: site_calibration(site[f"{t}-negatives"], site[f"{t}-positives"], groups) for t in targets}
    return {f"calibration_{target}": figures for target, figures in calibrations.items() if figures is not None}


def _total(sites: Mapping[str, Any], key: str) -> Any:
    return np.sum([site[key] for site in sites.values()], axis=0)


def _thresholds(sites: Mapping[str, Any], target: str) -> tuple[float, float]:
    """Thresholds "raised" and "high": 80 % and 95 % specificity on out-of-fold rows."""
    negatives = _total(sites, f"{target}-negatives")
    return specificity_threshold(negatives, 0.80), specificity_threshold(negatives, 0.95)


def _logit_sd(sites: Mapping[str, Any], target: str) -> float:
    count, first, second = _total(sites, f"{target}-logits")
    return float((second / count - (first / count) ** 2) ** 0.5)


def _range(sites: Mapping[str, Any]) -> list[list[float]]:
    low = np.min([site["low"] for site in sites.values()], axis=0)
    high = np.max([site["high"] for site in sites.values()], axis=0)
    return [low.tolist(), high.tolist()]


def _f1(confusion: Any) -> float:
    return round(macro_f1(confusion), 4)


def _ultrasound(run: RunFolder, plan: Plan, results: Mapping[str, Any]) -> Part:
    checkpoint = run.weights("ultrasound")
    assert checkpoint is not None
    network = network_of(fold_model_of(checkpoint[1], ALL))
    sites = results["sites"]
    counts = np.sum([site["counts"] for site in sites.values()], axis=0).reshape(empty_counts().shape)
    total = {
        name: sum(site[name] for site in sites.values()) for name in ("images", "absolute-mm", "signed-mm", "refused")
    }
    intervals = Intervals.from_counts(counts)
    settings = {"intervals": intervals.as_dict(), "calibration_images": [int(n) for n in counts[0].sum(axis=1)]}
    files = {SEGMENTER: to_onnx(network), WEIGHTS: to_safetensors(network), "ultrasound.json": _json(settings)}
    metrics = {
        "basis": "out-of-fold examinations at the sites; the model in the bundle learned from all of them",
        "images": int(total["images"]),
        "mae_mm": round(total["absolute-mm"] / total["images"], 3),
        "bias_mm": round(total["signed-mm"] / total["images"], 3),
        "refused": int(total["refused"]),
    }
    per_site = {
        name: {
            **results["nodes"][name],
            "images": int(site["images"]),
            "mae_mm": round(site["absolute-mm"] / site["images"], 3) if site["images"] else None,
            **({"epsilon": round(site["epsilon"], 2)} if "epsilon" in site else {}),
        }
        for name, site in sites.items()
    }
    return files, metrics, per_site
