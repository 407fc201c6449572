"""The model card and the licence file of a bundle, written from its manifest."""

from collections.abc import Iterable, Mapping
from typing import Any

# `models/pretrained/MODEL_CARD.md` must equal what `model_card` writes (a test compares them). Therefore the texts of
# the card change only together with the shipped bundle.
CITATIONS = {
    "UCI Cardiotocography": (
        "Campos D, Bernardes J. Cardiotocography. UCI Machine Learning Repository 2000. doi:10.24432/C51S4N; "
        "Ayres-de-Campos D et al. SisPorto 2.0. J Matern Fetal Med 2000;9:311-318."
    ),
    "CTU-UHB": (
        "Chudáček V et al. Open access intrapartum CTG database. BMC Pregnancy Childbirth 2014;14:16. "
        "doi:10.13026/C22013; Goldberger AL et al. PhysioNet. Circulation 2000;101(23):e215-e220."
    ),
    "HC18": (
        "van den Heuvel TLA et al. Automated measurement of fetal head circumference using 2D ultrasound images. "
        "Zenodo 2018. doi:10.5281/zenodo.1327317; PLoS ONE 2018;13(8):e0200412."
    ),
}

LIMITS = """\
- Research prototype. Not a medical device; not CE marked, not FDA cleared. Not for diagnosis, treatment or monitoring.
- The hospitals of the federation are simulated: public, single-centre data cut into sites.
- On a raw labour trace distress is the probability of an umbilical-artery pH at or below 7.15, learned from CTU-UHB:
  term, one hospital, chosen for signal quality, traces that end at birth. Where low pH is rarer, so is distress.
- On a table, and on antepartum traces, distress is the probability that experts would call the *pattern*
  pathological, which is no outcome. It was learned from SisPorto tables (Portugal, 1995-98); its transfer to raw
  traces is not validated.
- The acidaemia files derive from CTU-UHB: non-commercial research unless the source terms are confirmed. The bundle
  works without them (delete `acidaemia*`). No expert annotation was trained on.
- HC18 holds no growth-restricted fetus, no gestational age and no outcome: the network measures heads; it detects no
  growth restriction. The same woman may stand under several examination numbers.
- No woman in the data has both examinations. The fused score adds published odds of the size; it was judged on births
  with a trace, a pH and the *weight at birth* (`docs/evidence/fusion.md`), not validated on patients.
- Women (CTG) are inferred from file names."""


_WHAT = {
    "ctg": "XGBoost trees (CTG pattern)",
    "acidaemia": "XGBoost ladders (acidaemia)",
    "grader": "XGBoost trees (panel grader)",
    "ultrasound": "a U-Net (fetal head)",
}
WHY = """\
The ensemble is served because neither a shared trunk nor transfer between CTG and ultrasound beat it on the same sites
and folds. Trees are refitted because weighted bagging lost more against central training under skew; their leaves and
sums have floors that cost less than chance. Heads are averaged by examples: with group normalisation and an
epoch a round three sites equal central training. Figures: `docs/evidence/federation.md`, `ultrasound.md`."""


def _how(training: Mapping[str, Any]) -> list[str]:
    lines = []
    for modality, section in training.items():
        strategy = str(section.get("strategy", "federated averaging" if modality == "ultrasound" else "")).replace(
            "-", " "
        )
        details = [f"by {strategy}"] if strategy else []
        details += [f"{section[key]} {key}" for key in ("sites", "rounds") if key in section]
        details += [f"updates {section['compression']['kind']}"] if "compression" in section else []
        details.append(f"plan `{section['plan']}`")
        lines.append(f"- {_WHAT.get(modality, modality)}: {', '.join(details)}")
    return lines


def _where(manifest: Mapping[str, Any]) -> str:
    federation = manifest.get("lineage", {}).get("federation")
    return f"between the hospitals of the federation {federation}" if federation else "with Flower's simulation"


def _limits(manifest: Mapping[str, Any]) -> str:
    simulated = "- The hospitals of the federation are simulated: public, single-centre data cut into sites.\n"
    return LIMITS.replace(simulated, "") if "federation" in manifest.get("lineage", {}) else LIMITS


def _lineage(lineage: Mapping[str, Any]) -> list[str]:
    rounds = ", ".join(f"{name} {count}" for name, count in lineage["rounds"].items())
    approved = f"Run `{lineage['run']}`; plan and code approved as `{lineage['bundle'][:12]}`"
    return ["## Lineage", "", f"{approved} (code `{lineage['code'][:12]}`); rounds: {rounds}.", ""]


def _cell(value: Any) -> str:
    """A figure of a site as text; a comparison is shown with its 95 % interval."""
    if isinstance(value, Mapping) and "observed" in value:
        return f"{value['observed']} of {value['expected']} expected (z {value['z']:+.1f})"
    if isinstance(value, Mapping):
        low, high = value["ci95"]
        return f"{value['difference']:+.3f} ({low:+.3f} to {high:+.3f})"
    return "-" if value is None else str(value)


def model_card(manifest: Mapping[str, Any]) -> str:
    """The model card of a bundle as Markdown: training, data, figures, sites, lineage and limits."""
    lines = [f"# Model card: {manifest['name']}", ""]
    if manifest["synthetic"]:
        lines += ["**Trained on synthetic data: for trying the machinery, evidence of nothing.**", ""]
    lines += [
        f"Made {manifest['created']} by `fetal-health federate run {manifest['name']}`, version "
        f"{manifest['code_version']},",
        f"{_where(manifest)}.",
        "",
        *_how(manifest.get("training", {})),
        "",
        *(["## Why this plan", "", WHY, ""] if not manifest["synthetic"] else []),
        "## Data",
        "",
        "| data | rows | women or examinations | licence |",
        "|---|---|---|---|",
    ]
    for entry in manifest["data"]:
        lines.append(f"| {entry['name']} | {entry['rows']} | {entry['groups']} | {entry['licence']} |")
    lines += ["", *[f"- {CITATIONS[e['name']]}" for e in manifest["data"] if e["name"] in CITATIONS]]
    lines += ["", "## Figures of this training", ""]
    for modality, metrics in manifest["metrics"].items():
        lines.append(f"**{modality}**: {metrics['basis']}.")
        lines.append("")
        for name, value in metrics.items():
            if name != "basis":
                lines.append(f"- {name.replace('_', ' ')}: {value}")
        lines.append("")
    if manifest.get("out_of_fold"):
        lines += [
            "## Out-of-fold figures of the recipe",
            "",
            "Calibration and rule inside the training folds; the trees' settings were chosen by hand on the same data.",
            "Intervals are 95 %, over women, records or examinations.",
            "",
        ]
        lines += [f"- {name}: {value}" for name, value in manifest["out_of_fold"].items()]
        lines.append("")
    lines += ["## Sites", ""]
    for modality, sites in manifest["sites"].items():
        keys = list(dict.fromkeys(key for values in sites.values() for key in values))
        lines += [f"| {modality} | " + " | ".join(key.replace("_", " ") for key in keys) + " |"]
        lines += ["|---" * (len(keys) + 1) + "|"]
        for name, values in sites.items():
            lines.append(f"| {name} | " + " | ".join(_cell(values.get(key)) for key in keys) + " |")
        lines.append("")
    if lost := manifest.get("lost_sites"):
        lines += ["Lost during the run: " + "; ".join(f"{name} ({why})" for name, why in lost.items()) + ".", ""]
    if "lineage" in manifest:
        lines += _lineage(manifest["lineage"])
    lines += ["## Limits", "", _limits(manifest), ""]
    return "\n".join(lines)


def licence(manifest: Mapping[str, Any], names: Iterable[str]) -> str:
    """The licence file of a bundle: source and terms of each of the named files."""
    sources = {entry["modality"]: entry for entry in manifest["data"]}
    lines = ["Terms of the files in this bundle. The code that made them is Apache-2.0.", ""]
    for name in names:
        modality = "ctg" if name.startswith(("ctg", "fusion")) else "ultrasound"
        modality = next((own for own in ("acidaemia", "grader") if name.startswith(own)), modality)
        if name.endswith(".md"):
            lines.append(f"{name}: Apache-2.0")
            continue
        entry = sources[modality]
        terms = "" if modality in ("acidaemia", "grader") else "Apache-2.0; "
        lines.append(f"{name}: {terms}derived from {entry['name']} ({entry['licence']}), {entry['citation']}")
    return "\n".join(lines) + "\n"
