"""The head's document and pictures from small stored rows."""

import csv
from pathlib import Path

import numpy as np
import pytest

from models.growth.probability import SMALL_Z
from studies.heads import document, growth_probability
from studies.heads.plots import draw_heads
from studies.stored import read

SIZES = (80.0, 120.0, 175.0, 240.0, 300.0)


def write(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stored predictions of the right shape: 400 images with errors of 1 %, one far off and refused."""
    made = tmp_path_factory.mktemp("oof")
    rng = np.random.default_rng(0)
    rows: list[dict[str, object]] = []
    for k in range(400):
        reference = SIZES[k % 5] * (1 + 0.05 * rng.normal())
        estimate = reference * (1 + 0.01 * rng.normal()) if k else reference * 0.5
        rows.append(
            {
                "fold": k % 4,
                "image": f"{k // 2:03d}_{'' if k % 2 else '2'}HC.png",
                "examination": f"{k // 2:03d}",
                "pixel_size_mm": reference / 1500,
                "reference_mm": reference,
                "estimate_mm": estimate,
                "reference_bpd_mm": reference / 3.6,
                "bpd_mm": estimate / 3.6,
                "reference_ofd_mm": reference / 2.9,
                "ofd_mm": estimate / 2.9,
                "dice": 0.98,
                "hausdorff_mm": 1.1,
                "refusal": "" if k else "not an ellipse",
            }
        )
    write(made / "hc18.csv", rows)
    write(
        made / "hc18_negatives.csv",
        [
            {"kind": kind, "source": str(k), "refusal": "x" if k else ""}
            for kind in ("half", "speckle")
            for k in range(50)
        ],
    )
    write(
        made / "hc18_zoom.csv",
        [
            {"image": row["image"], "zoom": zoom, "estimate_mm": row["estimate_mm"], "refusal": ""}
            for row in rows[1::4]
            for zoom in (0.7, 1.15)
        ],
    )
    arms = [
        {
            "part": f"{arm}/0",
            "image": row["image"],
            "examination": row["examination"],
            "reference_mm": row["reference_mm"],
            "estimate_mm": float(row["estimate_mm"]) + shift,  # type: ignore[arg-type]
        }
        for arm, shift in (("scale", 0.1), ("central", 0.0))
        for row in rows[::4]
    ]
    write(made / "hc18_arms.csv", arms)
    return made


@pytest.mark.slow
def test_the_document_is_what_the_rows_say(folder: Path) -> None:
    text = document.ultrasound_document(folder)
    rows = read(folder / "hc18.csv")
    error = [abs(float(row["estimate_mm"]) - float(row["reference_mm"])) for row in rows]
    assert f"| all images | 400 | {np.mean(error):.2f} (" in text
    assert "Real heads refused: 1 of 400" in text
    assert "| all of these | 100 | 0.980 |" in text
    assert "CC BY 4.0" in text
    assert "| 0.7 | 100 | +0.00 % |" in text
    for chapter in ("Measurement", "90 % intervals", "Gate", "Pixel size", "Sites that differ", "Growth probability"):
        assert f"## {chapter}" in text


def test_cross_fitted_intervals_cover_and_do_not_see_their_own_fold(folder: Path) -> None:
    rows = read(folder / "hc18.csv")
    held = document.covered(rows)
    assert 0.85 < held.mean() < 0.96
    before = document.cross_fitted(rows)["head_circumference_mm"][0]
    changed = [dict(row) for row in rows]
    for row in changed:
        if row["fold"] == "0":
            row["reference_mm"] = "1"
    after = document.cross_fitted(changed)["head_circumference_mm"][0]
    own = np.array([row["fold"] == "0" for row in rows])
    assert (before[own] == after[own]).all()
    assert (before[~own] != after[~own]).any()


def test_the_constructed_growth_is_calibrated_when_the_errors_are_as_said(folder: Path) -> None:
    rows = read(folder / "hc18.csv")[1:]
    z, small, large = growth_probability.constructed(rows, draws=10)
    assert len(z) > 2000
    for event, said in ((z < SMALL_Z, small), (z > -SMALL_Z, large)):
        assert said.sum() == pytest.approx(event.sum(), rel=0.35)
    assert np.corrcoef(z, small)[0, 1] < 0
    assert growth_probability.perfect_calibration_limit(small, draws=20) < 0.05


def test_pictures(folder: Path, tmp_path: Path) -> None:
    made = draw_heads(read(folder / "hc18.csv"), tmp_path)
    assert [path.name for path in made] == ["evidence-head-agreement.png", "evidence-growth-reliability.png"]
    assert all(path.stat().st_size > 5000 for path in made)
