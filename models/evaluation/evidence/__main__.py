"""``python -m models.evaluation.evidence DIR``: documents from stored out-of-fold predictions, in a minute.

Reads ``DIR/oof`` (made by ``python -m federated.evidence`` and ``python -m models.evaluation.measuring``), writes
``DIR/ctg.md``, ``DIR/ultrasound.md``, ``DIR/federation.md``, ``DIR/fusion.md``, ``DIR/privacy.md`` and the pictures in
``DIR/../images``. With a bundle and a new folder as further arguments it writes the bundle again with these figures in
its card.
"""

import json
import sys
from pathlib import Path

from models.bundle import shipped
from models.evaluation.evidence import acidaemia, federation, fusion, measuring, pattern, privacy
from models.evaluation.evidence.card import annotate
from models.evaluation.evidence.heads import ultrasound_document
from models.evaluation.evidence.stored import read
from models.evaluation.evidence.stored_pairs import StoredPairs

MADE = """\
Made by `python -m federated.evidence uci|ctu-uhb|choices DATA plans/default.toml` and `python -m models.evaluation.measuring
DATA docs/evidence/oof`, then `make evidence`.
"""


def ctg_document(folder: Path) -> str:
    """All of the CTG."""
    stored = json.loads((folder / "measuring.json").read_text(encoding="utf-8"))
    choices = folder / "ctu_uhb_choices.csv"
    return "\n".join(
        [
            "# CTG: out-of-fold evidence",
            "",
            *acidaemia.lines(read(folder / "ctu_uhb.csv"), read(choices) if choices.exists() else []),
            *pattern.lines(read(folder / "uci.csv")),
            *measuring.lines(stored),
            MADE,
        ]
    )


def main(folder: Path) -> None:
    """Write documents and pictures."""
    from models.evaluation.evidence.fusion_plots import draw_fusion
    from models.evaluation.evidence.head_plots import draw_heads
    from models.evaluation.evidence.plots import draw, draw_sites

    (folder / "ctg.md").write_text(ctg_document(folder / "oof"), encoding="utf-8")
    (folder / "ultrasound.md").write_text(ultrasound_document(folder / "oof"), encoding="utf-8")
    manifest = federation.manifest_of(shipped())
    (folder / "federation.md").write_text(federation.document(folder / "oof", manifest), encoding="utf-8")
    (folder / "fusion.md").write_text(fusion.document(folder / "oof"), encoding="utf-8")
    (folder / "privacy.md").write_text(privacy.document(folder / "oof"), encoding="utf-8")
    for path in (
        folder / "ctg.md",
        folder / "ultrasound.md",
        folder / "federation.md",
        folder / "fusion.md",
        folder / "privacy.md",
        *draw(read(folder / "oof" / "ctu_uhb.csv"), folder.parent / "images"),
        *draw_heads(read(folder / "oof" / "hc18.csv"), folder.parent / "images"),
        *draw_sites(manifest, folder.parent / "images"),
        *draw_fusion(StoredPairs.read(folder / "oof"), fusion.read_experts(folder / "oof"), folder.parent / "images"),
    ):
        print(f"written: {path}")


if __name__ == "__main__":
    if len(sys.argv) == 4:
        print(f"bundle {annotate(*map(Path, sys.argv[1:]))}: {sys.argv[3]}")
    else:
        main(Path(sys.argv[1]))
