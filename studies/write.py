"""Documents from the stored predictions: ``python -m studies write``.

Reads ``FOLDER/oof`` (see `studies.__main__`), writes ``ctg.md``, ``states.md``, ``ultrasound.md``, ``federation.md``, ``fusion.md``, ``at-least-one.md`` and
``privacy.md`` into ``FOLDER``, and the pictures into ``FOLDER/../images``.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from models.bundle import shipped
from studies.acidaemia import document as acidaemia
from studies.families import federation_document as federation
from studies.fusion import document as fusion
from studies.fusion import either
from studies.fusion.stored_pairs import StoredPairs
from studies.heads.document import ultrasound_document
from studies.pattern import document as pattern
from studies.privacy import document as privacy
from studies.stored import read
from studies.traces import document as traces
from studies.traces import grader, population, states

MADE = """\
Made by `python -m studies train uci|ctu-uhb|choices DATA plans/default.toml` and `python -m studies store
traces|grader|population DATA`, then `make evidence`.
"""


def ctg_document(folder: Path) -> str:
    """The document on CTG."""
    stored = json.loads((folder / "measuring.json").read_text(encoding="utf-8"))
    choices = folder / "ctu_uhb_choices.csv"
    panel = folder / grader.FILE
    return "\n".join(
        [
            "# CTG: out-of-fold evidence",
            "",
            *acidaemia.lines(read(folder / "ctu_uhb.csv"), read(choices) if choices.exists() else []),
            *pattern.lines(read(folder / "uci.csv")),
            *traces.lines(stored),
            *(grader.lines(json.loads(panel.read_text(encoding="utf-8"))) if panel.exists() else []),
            *(population.lines(folder) if (folder / population.FILE).exists() else []),
            MADE,
        ]
    )


def write_documents(folder: Path) -> Iterator[Path]:
    """Write documents and pictures below ``folder``, from ``folder/oof``, and yield each that is written."""
    from studies.fusion.plots import draw_fusion
    from studies.heads.plots import draw_heads
    from studies.plots import draw, draw_sites

    (folder / "ctg.md").write_text(ctg_document(folder / "oof"), encoding="utf-8")
    (folder / "ultrasound.md").write_text(ultrasound_document(folder / "oof"), encoding="utf-8")
    manifest = federation.manifest_of(shipped())
    (folder / "federation.md").write_text(federation.document(folder / "oof", manifest), encoding="utf-8")
    (folder / "fusion.md").write_text(fusion.document(folder / "oof"), encoding="utf-8")
    (folder / "at-least-one.md").write_text("\n".join(either.lines(folder / "oof")), encoding="utf-8")
    (folder / "privacy.md").write_text(privacy.document(folder / "oof"), encoding="utf-8")
    (folder / "states.md").write_text("\n".join(states.lines(folder / "oof")), encoding="utf-8")
    yield from (
        folder / "ctg.md",
        folder / "states.md",
        folder / "ultrasound.md",
        folder / "federation.md",
        folder / "fusion.md",
        folder / "at-least-one.md",
        folder / "privacy.md",
        *draw(read(folder / "oof" / "ctu_uhb.csv"), folder.parent / "images"),
        *draw_heads(read(folder / "oof" / "hc18.csv"), folder.parent / "images"),
        *draw_sites(manifest, folder.parent / "images"),
        *draw_fusion(StoredPairs.read(folder / "oof"), fusion.read_experts(folder / "oof"), folder.parent / "images"),
    )
