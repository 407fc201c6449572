"""Another population and subgroups: FHRMA traces beside the training records, and the score within CTU-UHB.

FHRMA (GPL-3.0) is for evaluation only; aggregates are stored. Its traces have no outcome: they show how often a score is
refused, and how often the rule sets agree, where the women, the monitors and the stage are others.
"""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score

from models.bundle import Bundle, shipped
from models.ctg.acidaemia import MILD, SEVERE, low_ph
from models.ctg.analysis import analyse
from models.ctg.formats.channels import Channels
from models.ctg.recording import CtgRecording, recording
from models.datasets import ctu_uhb, fhrma
from models.errors import DataSetError
from models.evaluation.metrics import auc, bootstrap
from models.fusion.inputs import CtgInput
from models.fusion.risk import assess
from models.fusion.state import STATES
from studies.stored import Rows, column, read, seeds, table, words

Array = NDArray[np.float64]
FILE, RECORDS = "population.json", "ctu_uhb_records.csv"
LAST_S = 5400.0
FEWEST_EVENTS = 5
RULES = ("FIGO 2015", "NICHD 2008", "NICE NG229 (amended)")


def store(data: Path, output: Path) -> Iterator[Path]:
    """Store what the records state of themselves, and the aggregates of both sets; FHRMA may be missing.

    Raises
    ------
    DataSetError
        CTU-UHB is not below `data`.
    """
    where = ctu_uhb.find(data)
    if where is None:
        raise DataSetError(f"{data}: CTU-UHB is not below this folder")
    records = ctu_uhb.read(where)
    path = output / RECORDS
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["record", "loss", "weeks", "parity", "delivery"])
        for record in records:
            loss = round(float(np.isnan(record.recording.fhr_bpm).mean()), 3)
            writer.writerow([record.name, loss, record.completed_weeks, record.parity, record.delivery])
    yield path
    path = output / FILE
    stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    bundle = Bundle(shipped())
    stored["CTU-UHB"] = aggregates(bundle, [record.recording for record in records])
    if (folder := fhrma.find(data)) is not None:
        stored["FHRMA"] = aggregates(bundle, [_fhrma(channels) for _, channels, _ in fhrma.morphology(folder)])
    path.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    yield path


def _fhrma(channels: Channels) -> CtgRecording:
    heart = np.where(channels.heart[1] > 0, channels.heart[1], channels.heart[2])
    return recording(heart, channels.toco, channels.sampling_rate_hz, "FHRMA", "labour")


def aggregates(bundle: Bundle, traces: list[CtgRecording]) -> dict[str, Any]:
    """Refusals, states and classes of the last 90 min of each trace, taken as labour, and how far the rules agree."""
    states: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    classes: dict[str, list[int]] = {rules: [] for rules in RULES}
    for trace in traces:
        part = trace.part(max(0.0, trace.duration_s - LAST_S), trace.duration_s)
        answer = assess(bundle, CtgInput(analysis=analyse(part), stage="labour"), None)
        states[answer.state] += 1
        refusal = answer.distress.refusal
        if refusal is not None:
            refusals["unlike the training traces" if "unlike" in refusal else "signal or length"] += 1
        for guideline in answer.distress.detail["guidelines"]:
            severity = guideline["severity"]
            classes[guideline["rules"]].append(-1 if severity is None else severity)
    figo, nice = np.array(classes[RULES[0]]), np.array(classes[RULES[2]])
    both = (figo >= 0) & (nice >= 0)
    return {
        "traces": len(traces),
        "refused": dict(refusals),
        "states": {state: states[state] for state in STATES},
        "classes": {rules: [values.count(grade) for grade in (0, 1, 2, -1)] for rules, values in classes.items()},
        "figo_with_nice": {
            "both_judged": int(both.sum()),
            "kappa": round(float(cohen_kappa_score(figo[both], nice[both], labels=[0, 1, 2], weights="linear")), 3),
        },
    }


def lines(folder: Path) -> list[str]:
    """This part of the document as lines of Markdown."""
    return [*_shift(json.loads((folder / FILE).read_text(encoding="utf-8"))), *_subgroups(folder)]


def _shift(stored: dict[str, Any]) -> list[str]:
    if "FHRMA" not in stored:
        return []
    names = ["CTU-UHB", "FHRMA"]
    rows = [["traces", *(str(stored[name]["traces"]) for name in names)]]
    for reason in ("unlike the training traces", "signal or length"):
        rows.append(
            [f"no score: {reason}", *(_share(stored[n]["refused"].get(reason, 0), stored[n]["traces"]) for n in names)]
        )
    for state in STATES:
        rows.append([f"state {state}", *(_share(stored[n]["states"][state], stored[n]["traces"]) for n in names)])
    for rules in RULES:
        cells = (" / ".join(str(count) for count in stored[name]["classes"][rules]) for name in names)
        rows.append([f"{rules}: normal, suspicious, pathological, cannot tell", *cells])
    agreement = (
        f"{stored[n]['figo_with_nice']['kappa']:.2f} ({stored[n]['figo_with_nice']['both_judged']})" for n in names
    )
    rows.append(["FIGO with NICE, linear kappa (both judged)", *agreement])
    return [
        "### Another population",
        "",
        "The last 90 min of each trace, taken as labour, through the shipped bundle. CTU-UHB are the records that it was trained",
        "on; FHRMA are 156 traces of other hospitals (antepartum and labour, no outcome). Rules learn nothing.",
        "",
        *table(["", *names], rows),
    ]


def _share(count: int, of: int) -> str:
    return f"{count} ({100 * count / of:.0f} %)"


GROUPS: tuple[tuple[str, str, Callable[[Array], NDArray[np.bool_]]], ...] = (
    ("signal loss below 10 %", "loss", lambda v: v < 0.1),
    ("signal loss 10 to 25 %", "loss", lambda v: (v >= 0.1) & (v < 0.25)),
    ("signal loss 25 % and above", "loss", lambda v: v >= 0.25),
    ("vaginal birth", "delivery", lambda v: v == 1),
    ("caesarean section", "delivery", lambda v: v == 2),
    ("up to 39 completed weeks", "weeks", lambda v: v <= 39),
    ("40 weeks", "weeks", lambda v: v == 40),
    ("41 weeks and more", "weeks", lambda v: v >= 41),
    ("first birth", "parity", lambda v: v == 0),
    ("later birth", "parity", lambda v: v >= 1),
)


def _subgroups(folder: Path) -> list[str]:
    parts = seeds(read(folder / "ctu_uhb.csv"), "dirichlet")
    about = {row["record"]: row for row in read(folder / RECORDS)}
    body = []
    for words_, name, chosen in GROUPS:
        values = np.array([float(about[row["record"]][name]) for row in parts[0]])
        with np.errstate(invalid="ignore"):
            inside = np.flatnonzero(chosen(values))
        body.append([words_, str(len(inside)), *_scores(parts, inside)])
    return [
        "### Subgroups",
        "",
        "Out-of-fold scores at birth, 4 federated sites, mean over five seeds; intervals over records. No interval is given for",
        f"fewer than {FEWEST_EVENTS} events.",
        "",
        *table(["group", "records", "events, pH <= 7.15", "AUC", "events, pH < 7.05", "AUC"], body),
    ]


def _scores(parts: list[Rows], inside: NDArray[np.int64]) -> list[str]:
    cells = []
    record = np.array([row["record"] for row in parts[0]])[inside]
    for target in (MILD, SEVERE):
        event = low_ph(column(parts[0], "ph"), target.threshold).astype(bool)[inside]
        scores = [column(rows, f"{target.name}_0")[inside] for rows in parts]
        area = bootstrap(record, _mean_auc(event, scores), draws=300)
        few = event.sum() < FEWEST_EVENTS
        cells += [str(int(event.sum())), "too few" if few else words(area, 2)]
    return cells


def _mean_auc(event: NDArray[np.bool_], scores: list[Array]) -> Callable[[NDArray[np.int64]], float]:
    return lambda rows: float(np.mean([auc(event[rows], score[rows]) for score in scores]))
