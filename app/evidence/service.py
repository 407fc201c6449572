"""The evidence of one bundle, from what it carries."""

from dataclasses import asdict
from functools import lru_cache
from typing import Any

from app.evidence.drawing import decisions_svg, reliability_svg
from models.bundle import Bundle
from models.card import LIMITS
from models.ctg.acidaemia import MILD
from models.evaluation.held_out import Bin, Decisions, decisions, figures, reliability, rows_of
from models.fusion.conformal import Quantiles
from models.fusion.held_out_births import Pattern
from models.fusion.prior import POPULATION_PRIOR

PATTERNS: dict[Pattern, str] = {
    "both": "Both examinations (the size at birth stands for the scan)",
    "ctg only": "CTG only",
    "ultrasound only": "Ultrasound only (the size at birth)",
}


@lru_cache(maxsize=2)  # of the bundle that the registry keeps loaded: the bands take a second
def evidence(bundle: Bundle) -> dict[str, Any]:
    """Figures, bins and curves by what was known; without held-out pairs, what the manifest says."""
    manifest = bundle.manifest
    patterns = []
    model = bundle.acidaemia
    if model is not None:
        for pattern, words in PATTERNS.items():
            held = model.fusion.held_out.get(pattern)
            if held is None:
                continue
            event, probability = rows_of(held)
            quantiles = Quantiles.from_counts(held.negatives, held.positives)
            none, some = quantiles.contains(probability)
            patterns.append(
                {
                    "pattern": pattern,
                    "words": words,
                    "figures": figures(event, probability),
                    "reliability": [asdict(one) for one in reliability(event, probability)],
                    "decisions": asdict(decisions(event, probability)),
                    "abstains": float((none == some).mean()),
                    "quantiles": quantiles.as_dict(),
                }
            )
    return {
        "bundle": bundle.identifier,
        "name": manifest["name"],
        "created": manifest["created"],
        "synthetic": bundle.synthetic,
        "event": MILD.event,
        "prior": model.prior if model is not None else None,
        "population_prior": POPULATION_PRIOR,
        "rule": model.fusion.rule.method if model is not None else None,
        "data": manifest["data"],
        "patterns": patterns,
        "out_of_fold": manifest.get("out_of_fold", {}),
        "metrics": manifest["metrics"],
        "limits": _plain(LIMITS),
    }


def _plain(text: str) -> list[str]:
    """A list in Markdown as lines of text."""
    return [line.strip("- ").replace("\n  ", " ").replace("*", "").replace("`", "") for line in text.split("\n- ")]


def drawings(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Each pattern with its two pictures."""
    return [
        {
            **one,
            "reliability_svg": reliability_svg([Bin(**b) for b in one["reliability"]], f"Reliability: {one['words']}"),
            "decisions_svg": decisions_svg(Decisions(**one["decisions"]), f"Decision curve: {one['words']}"),
        }
        for one in found["patterns"]
    ]
