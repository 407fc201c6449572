"""The evidence that a bundle contains."""

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
    "both": "Both examinations (the size at birth replaces the scan)",
    "ctg only": "CTG only",
    "ultrasound only": "Ultrasound only (the size at birth)",
}


@lru_cache(maxsize=2)  # of the bundle that the registry keeps loaded: the bands take a second
def evidence(bundle: Bundle) -> dict[str, Any]:
    """Figures, calibration groups and curves for each combination of examinations.

    A bundle without held-out births gives only what its manifest says.
    """
    manifest = bundle.manifest
    patterns = []
    model = bundle.acidaemia
    if model is not None:
        for pattern, words in PATTERNS.items():
            births = model.fusion.held_out.get(pattern)
            if births is None:
                continue
            event, probability = rows_of(births)
            quantiles = Quantiles.from_counts(births.negatives, births.positives)
            none, some = quantiles.contains(probability)
            patterns.append(
                {
                    "pattern": pattern,
                    "words": words,
                    "figures": figures(event, probability),
                    "reliability": [asdict(group) for group in reliability(event, probability)],
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
        "prior": model.prevalence if model is not None else None,
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


def drawings(shown: dict[str, Any]) -> list[dict[str, Any]]:
    """Each pattern with its two pictures."""
    return [
        {
            **pattern,
            "reliability_svg": reliability_svg(
                [Bin(**b) for b in pattern["reliability"]], f"Reliability: {pattern['words']}"
            ),
            "decisions_svg": decisions_svg(Decisions(**pattern["decisions"]), f"Decision curve: {pattern['words']}"),
        }
        for pattern in shown["patterns"]
    ]
