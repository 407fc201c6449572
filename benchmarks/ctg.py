"""An hour of CTG at 4 Hz, from file to features, on one core; beside the `wfdb` package reading the same record."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.timing import Timing, timed
from models.bundle import Bundle
from models.ctg.acidaemia import MILD
from models.ctg.analysis import analyse
from models.ctg.formats import read
from models.ctg.guidelines import classify
from models.ctg.reading import read as read_trace
from models.ctg.strip import Marks, strip_svg
from models.ctg.trace_features import trace_features
from models.synthetic.traces import as_csv, as_wfdb, trace


def table(bundle: Bundle) -> list[tuple[str, Timing]]:
    """Rows of a table: what was done, and how long it took, ms."""
    recording = trace(minutes=60, late_decelerations=True, seed=1).recording
    wfdb_files, csv_files = as_wfdb(recording, "hour"), {"hour.csv": as_csv(recording)}
    analysis = analyse(recording)
    reading = read_trace(analysis)
    features = trace_features(analysis)[None, :]

    def whole(files: Mapping[str, bytes]) -> None:
        trace_features(analyse(read(files)))

    rows = [
        ("WFDB file to features", timed(lambda: whole(wfdb_files))),
        ("CSV file to features", timed(lambda: whole(csv_files))),
        ("  of it: read WFDB", timed(lambda: read(wfdb_files))),
        ("  of it: read CSV", timed(lambda: read(csv_files))),
        ("  of it: measure", timed(lambda: analyse(recording))),
        ("  of it: features", timed(lambda: trace_features(analysis))),
        ("read for the guidelines", timed(lambda: read_trace(analysis))),
        ("guidelines", timed(lambda: classify(reading, "labour"))),
        ("strip as SVG", timed(lambda: strip_svg(recording, Marks.of(reading)))),
    ]
    if bundle.acidaemia is not None:
        model = bundle.acidaemia.models[MILD.name]
        rows.append(
            (
                "probability and contributions",
                timed(lambda: (model.probabilities(features), model.contributions(features))),
            )
        )
    return rows + _oracle(wfdb_files)


def _oracle(files: Mapping[str, bytes]) -> list[tuple[str, Timing]]:
    try:
        import wfdb
    except ImportError:
        return []
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        return [("wfdb package: read the same record", timed(lambda: wfdb.rdrecord(f"{folder}/hour")))]


def show(rows: list[tuple[str, Timing]]) -> None:
    """Print the table with ratios to the first row."""
    base = rows[0][1]["p50"]
    print("\nCTG, one hour at 4 Hz, one core, ms")
    for name, timing in rows:
        numbers = " ".join(f"{timing[q]:8.2f}" for q in ("p50", "p95", "p99"))
        print(f"{name:38s} {numbers}   x{timing['p50'] / base:.2f}")
