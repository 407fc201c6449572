"""The documented feature vector: ``python -m studies feature-vector``."""

from collections.abc import Iterable

from models.ctg.features import DERIVED, FEATURES, Feature
from models.ctg.trace_features import TRACE_FEATURES

HEAD = """\
# The CTG feature vector

Written by `make evidence` from `models/ctg/features.py` and `trace_features.py`. *Table*: filled from a SisPorto table;
*trace*: measured on a raw trace. A feature has both marks only where the definitions agree. Missing stays missing.
"""
SUFFIXES = (("_bpm2", "bpm²"), ("_bpm", "bpm"), ("_per_s", "1/s"), ("_percent", "%"))


def document() -> str:
    """Markdown: the pattern model's features, what is derived from them, the acidaemia model's."""
    lines = [HEAD, "## Pattern model", "", *_table(FEATURES, table=True)]
    lines += ["", "Derived from these, for the trees alone:", "", *_table(DERIVED, table=True)]
    lines += ["", "## Acidaemia model", "", *_table(TRACE_FEATURES, table=False)]
    return "\n".join(lines) + "\n"


def _table(features: Iterable[Feature], *, table: bool) -> list[str]:
    lines = ["| name | unit | definition | range | filled by | source |", "|---|---|---|---|---|---|"]
    for feature in features:
        column = f"column {feature.uci_column}: {feature.label}" if feature.uci_column else feature.label
        by = ", ".join(name for name, on in (("table", table), ("trace", feature.from_trace)) if on)
        bounds = f"{feature.low:g} to {feature.high:g}"
        source = feature.source if feature.uci_column or feature.definition else "this project"
        lines.append(
            f"| `{feature.name}` | {unit(feature)} | {feature.definition or column} | {bounds} | {by} | {source} |"
        )
    return lines


def unit(feature: Feature) -> str:
    """The unit that is stated, or that the name ends in; 1 for a number."""
    return feature.unit or next((unit for end, unit in SUFFIXES if feature.name.endswith(end)), "1")
