"""Synthetic data sets in the official layouts: for tests, and for a federation without any download.

Marked by their folder's ``SYNTHETIC`` file; they prove nothing clinical.
"""

import csv
import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from models.ctg.grader import READINGS
from models.datasets import ctu_uhb, panel
from models.growth.weight import FMF_2018
from models.synthetic.heads import phantom, random_ellipse
from models.synthetic.traces import as_wfdb, trace
from models.ultrasound.ellipse import Ellipse

MARK = "SYNTHETIC"
_RAW_HEADER = [
    "FileName",
    "Date",
    "SegFile",
    "b",
    "e",
    "LBE",
    "LB",
    "AC",
    "FM",
    "UC",
    "ASTV",
    "MSTV",
    "ALTV",
    "MLTV",
    "DL",
    "DS",
    "DP",
    "DR",
    "Width",
    "Min",
    "Max",
    "Nmax",
    "Nzeros",
    "Mode",
    "Mean",
    "Median",
    "Variance",
    "Tendency",
    "A",
    "B",
    "C",
    "D",
    "E",
    "AD",
    "DE",
    "LD",
    "FS",
    "SUSP",
    "CLASS",
    "NSP",
]


def is_synthetic(folder: Path) -> bool:
    """True when the folder, or one above it, is marked."""
    return any((parent / MARK).exists() for parent in (folder, *folder.parents))


def write(folder: Path, *, women: int = 60, records: int = 48, examinations: int = 40, seed: int = 0) -> None:
    """Write all data sets below `folder` and mark it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).write_text("Generated data. Evidence of nothing.\n", encoding="utf-8")
    write_uci(folder / "ctg", women=women, seed=seed)
    write_ctu_uhb(folder / "labour", records=records, seed=seed)
    write_hc18(folder / "ultrasound", examinations=examinations, seed=seed)
    write_panel(folder / "panel", women=records // 2, seed=seed)


def write_uci(folder: Path, *, women: int = 60, seed: int = 0) -> None:
    """A table in the layout of the UCI sheet *Raw Data*: the worse the state, the less variability."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "ctg_raw_data.csv").open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(_RAW_HEADER)
        segment = 0
        for woman in range(women):
            worst = int(rng.choice(3, p=[0.6, 0.2, 0.2]))
            name = f"S{woman:07d}_1.dat" if woman % 2 else f"Syn{chr(97 + woman % 26)}{chr(97 + woman // 26)}_1.txt"
            for _ in range(int(rng.integers(3, 9))):
                segment += 1
                state = worst if rng.random() < 0.75 else int(rng.integers(0, worst + 1))
                writer.writerow(_uci_row(rng, name, segment, state))


def _uci_row(rng: np.random.Generator, name: str, segment: int, state: int) -> list[object]:
    start, length = int(rng.integers(0, 600)), int(rng.integers(500, 1300))
    base = int(rng.normal(134 + 4 * state, 7))
    low, high = base - int(rng.integers(15, 45)) - 12 * state, base + int(rng.integers(15, 45))
    events = {"AC": rng.poisson((4, 1, 0.4)[state]), "FM": rng.poisson(2), "UC": rng.poisson(4)}
    drops = {"DL": rng.poisson((0.5, 1.5, 3)[state]), "DS": 0, "DP": rng.poisson((0.02, 0.1, 0.8)[state])}
    stv = {"ASTV": int(np.clip(rng.normal((40, 62, 68)[state], 9), 5, 95)), "MSTV": round(rng.gamma(4, 0.3), 1)}
    ltv = {"ALTV": int(np.clip(rng.normal((4, 25, 15)[state], 8), 0, 95)), "MLTV": round(rng.gamma(6, 1.3), 1)}
    values: dict[str, object] = {
        **dict.fromkeys(_RAW_HEADER, 0),
        **{"FileName": name, "Date": "1997-01-01", "SegFile": f"SYN{segment:05d}.txt", "b": start, "e": start + length},
        **{"LBE": base, "LB": base, "Width": high - low, "Min": low, "Max": high, "Nmax": rng.poisson(4)},
        **{"Mode": base + 2, "Mean": base - 3 * state, "Median": base, "Variance": rng.poisson(15), "Tendency": 0},
        **{key: int(value) for key, value in (events | drops).items()},
        **stv,
        **ltv,
        **{"CLASS": state + 1, "NSP": state + 1},
    }
    return [values[column] for column in _RAW_HEADER]


def write_ctu_uhb(folder: Path, *, records: int = 48, seed: int = 0) -> None:
    """Labour traces with a pH in their headers, in the layout of CTU-UHB: the lower the pH, the more decelerations."""
    rng = np.random.default_rng(seed)
    target = folder / ctu_uhb.FOLDER
    target.mkdir(parents=True, exist_ok=True)
    for number in range(records):
        low = number % 3 == 0
        ph = float(np.clip(rng.normal(7.08 if low else 7.26, 0.05), 6.85, 7.45))
        labour = trace(
            minutes=30.0,
            baseline_bpm=float(rng.normal(150 if low else 135, 6)),
            variability_bpm=float(rng.uniform(5, 14)),
            accelerations=0 if low else int(rng.integers(1, 5)),
            late_decelerations=low,
            seed=seed * 1009 + number,
        )
        name = str(1001 + number)
        weeks = 38 + number % 4
        woman = np.random.default_rng(seed * 31 + number)
        grams = FMF_2018.value_at(float(woman.normal()), 7 * weeks + 3.5)
        mother = f"#Parity       {woman.integers(0, 4)}\n#Age          {woman.integers(19, 42)}\n"
        for file, content in as_wfdb(labour.recording, name).items():
            header = f"#pH           {ph:.2f}\n#Gest. weeks  {weeks}\n#Weight(g)    {grams:.0f}\n#Pos. II.st.  -1\n"
            header_bytes = (header + mother).encode() if file.endswith(".hea") else b""
            (target / file).write_bytes(content + header_bytes)


def write_panel(folder: Path, *, women: int = 24, seed: int = 0) -> None:
    """Labour traces with the readings of four people, who sometimes differ: decelerations are pathological."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / panel.FILE).open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(panel.COLUMNS)
        for number in range(women):
            reading = number % len(READINGS)
            labour = trace(
                minutes=60.0,
                baseline_bpm=float(rng.normal((135, 164, 150)[reading], 3)),
                variability_bpm=float(rng.uniform(8, 14) if reading == 0 else rng.uniform(3, 7)),
                accelerations=5 if reading == 0 else 0,
                late_decelerations=reading == 2,
                seed=seed * 1009 + 500 + number,
            )
            name = f"P{number:03d}"
            for file, content in as_wfdb(labour.recording, name).items():
                (folder / file).write_bytes(content)
            for start in (0, 30):
                for reader in range(4):
                    given = reading if rng.random() < 0.85 else int(rng.integers(len(READINGS)))
                    writer.writerow([name, f"{name}.hea", start, start + 30, f"reader {reader + 1}", READINGS[given]])


def write_hc18(folder: Path, *, examinations: int = 40, seed: int = 0) -> None:
    """Phantoms with their outlines in the layout of HC18."""
    rng = np.random.default_rng(seed)
    pictures = folder / "training_set"
    pictures.mkdir(parents=True, exist_ok=True)
    rows = []
    for examination in range(examinations):
        ellipse = random_ellipse(rng)
        size_mm = 0.08 + 0.22 * examination / max(examinations - 1, 1)
        name = f"{examination:03d}_HC.png"
        Image.fromarray(phantom(ellipse, seed=seed * 10007 + examination)).save(pictures / name)
        (pictures / name.replace(".png", "_Annotation.png")).write_bytes(_outline(ellipse))
        rows.append([name, f"{size_mm:.6f}", f"{ellipse.perimeter * size_mm:.2f}"])
    with (folder / "training_set_pixel_size_and_HC.csv").open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows([["filename", "pixel size(mm)", "head circumference (mm)"], *rows])


def _outline(ellipse: Ellipse) -> bytes:
    image = Image.new("L", (800, 540))
    points = [(float(x), float(y)) for x, y in ellipse.points(720)]
    ImageDraw.Draw(image).polygon(points, outline=255)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()
