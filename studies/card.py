"""The recipe's main out-of-fold figures, for a bundle's card."""

import json
from pathlib import Path

import numpy as np

from models.bundle import CARD, Bundle, save
from models.card import model_card
from models.evaluation.metrics import auc, bootstrap
from studies.acidaemia.document import headline
from studies.fusion.document import EVENTS, by_group, over
from studies.fusion.stored_pairs import StoredPairs
from studies.heads.document import covered
from studies.pattern.document import state_scores
from studies.stored import column, part, read, words


def figures(folder: Path) -> dict[str, str]:
    """The recipe's main out-of-fold figures in words, for a model card."""
    rows = part(read(folder / "oof" / "uci.csv"), "dirichlet/table/0")
    scores = state_scores(rows)
    heads = read(folder / "oof" / "hc18.csv")
    groups = np.array([row["examination"] for row in heads])
    error = np.abs(column(heads, "estimate_mm") - column(heads, "reference_mm"))
    overlap = column(heads, "dice")
    pairs = StoredPairs.read(folder / "oof")
    n_women, n_heads = f"n = {len(rows)}, by woman", f"n = {len(heads)}, by examination"
    sentences = {f"CTG {name.replace('_', ' ')} ({n_women})": words(value) for name, value in scores.items()}
    sentences |= {f"acidaemia {name}": value for name, value in headline(read(folder / "oof" / "ctu_uhb.csv")).items()}
    for target, event in EVENTS.items():
        key = f"fused AUC, {event}, real pairs (size at birth; n = {len(pairs.ph)}, {int(pairs.event(target).sum())} events)"
        sentences[key] = words(over(pairs, pairs.fused(target), target, auc))
    sentences |= by_group(pairs)
    for name, values, digits in (("MAE, mm", error, 2), ("Dice", overlap, 4), ("coverage of 90 %", covered(heads), 3)):
        mean = bootstrap(groups, lambda r, v=values: float(np.mean(v[r])))  # type: ignore[misc]
        sentences[f"head {name} ({n_heads})"] = words(mean, digits)
    return sentences


def annotate(folder: Path, source: Path, target: Path) -> str:
    """Write the bundle again with these figures in manifest and card; the models stay as they are."""
    bundle = Bundle(source)
    contents = {name: (source / name).read_bytes() for name in bundle.present_files}
    manifest = {key: value for key, value in bundle.manifest.items() if key not in {"format", "files"}}
    manifest["out_of_fold"] = figures(folder)
    manifest = json.loads(json.dumps(manifest, sort_keys=True))
    contents[CARD] = model_card(manifest).encode()
    return save(target, contents, manifest).identifier
