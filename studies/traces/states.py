"""States of the CTU-UHB records by outcome: readings of the traces with out-of-fold scores.

The scores are those of the federated recipe (`ctu_uhb.csv`, mean of its seeds); their thresholds are 80 % and 95 % of
the births without the event. The readings learn nothing. The document is written from the stored rows alone.
"""

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.ctg.acidaemia import MILD, low_ph
from models.ctg.analysis import analyse
from models.ctg.guidelines import classify
from models.ctg.nice_versions import ORIGINAL
from models.ctg.reading import read as read_trace
from models.ctg.recording import CtgRecording
from models.datasets import ctu_uhb
from models.errors import DataSetError
from models.evaluation.states import median_at_end
from models.fusion.conformal import Quantiles
from models.fusion.state import HIGH, LOW, RAISED, STATES, Evidence, ScoreState, judge
from models.fusion.trace_state import TraceState, trace_state
from studies.stored import read

Array = NDArray[np.float64]
Row = dict[str, Any]
FILE = "states.csv"
LEADS_S = {0: 0.0, 30: 1800.0}
SCORES = "dirichlet/"
LOST = 0.8


def store(data: Path, output: Path) -> Iterator[Path]:
    """Write one row a record, yielding the file.

    Raises
    ------
    DataSetError
        CTU-UHB is not below `data`.
    """
    where = ctu_uhb.find(data)
    if where is None:
        raise DataSetError(f"{data}: CTU-UHB is not below this folder")
    records = ctu_uhb.read(where)
    scores = out_of_fold(output / "ctu_uhb.csv", [record.name for record in records])
    ph = np.array([record.ph for record in records])
    judge_score = score_judge(scores[0], low_ph(ph, MILD.threshold).astype(bool))
    rows = []
    for number, record in enumerate(records):
        age = 7 * record.completed_weeks if np.isfinite(record.completed_weeks) else None
        level = median_at_end(record.recording)
        row: Row = {"record": record.name, "ph": record.ph, "median_at_end": "" if level is None else level}
        row["lost_at_end"] = round(_lost(record.recording), 3)
        for lead, hidden_s in LEADS_S.items():
            part = record.recording.part(0.0, record.recording.duration_s - hidden_s)
            trace, severities = _read(part, age)
            verdict = judge(Evidence(trace=trace, scores=judge_score(float(scores[lead][number]))))
            row |= {f"state_{lead}": verdict.state, f"basis_{lead}": verdict.basis}
            row |= {f"alarm_{lead}": HIGH if trace.high else RAISED if trace.raised else ""}
            row |= {f"{name}_{lead}": severity for name, severity in severities.items()}
        rows.append(row)
    path = output / FILE
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    yield path


def _read(recording: CtgRecording, age_days: float | None) -> tuple[TraceState, dict[str, Any]]:
    reading = read_trace(analyse(recording), "labour", age_days)
    guidelines = classify(reading, "labour")
    older = classify(reading, "labour", nice=ORIGINAL)[2]
    named = zip(("figo", "nichd", "nice"), guidelines, strict=True)
    severities = {name: "" if answer.severity is None else answer.severity for name, answer in named}
    severities["nice_2022"] = "" if older.severity is None else older.severity
    return trace_state(reading, guidelines, "labour", age_days), severities


def _lost(recording: CtgRecording) -> float:
    return float(np.isnan(recording.part(recording.duration_s - 600.0, recording.duration_s).fhr_bpm).mean())


def out_of_fold(path: Path, names: Sequence[str]) -> dict[int, Array]:
    """Mean out-of-fold probability of the milder event for each lead, shape (records,); NaN where it is refused."""
    probabilities: dict[int, dict[str, list[float]]] = {lead: {} for lead in LEADS_S}
    for row in read(path):
        for lead in LEADS_S:
            if row["part"].startswith(SCORES) and int(row[f"assessed_{lead}"]):
                probabilities[lead].setdefault(row["record"], []).append(float(row[f"{MILD.name}_{lead}"]))
    return {
        lead: np.array([np.mean(values[name]) if name in values else np.nan for name in names])
        for lead, values in probabilities.items()
    }


def score_judge(scores: Array, event: NDArray[np.bool_]) -> Callable[[float], tuple[ScoreState, ...]]:
    """What a score says of the state, by thresholds and 90 % sets of these births."""
    known = np.isfinite(scores)
    raised, high = (float(np.percentile(scores[known & ~event], share)) for share in (80, 95))
    quantiles = Quantiles.fit(scores[known], event[known])

    def judged(score: float) -> tuple[ScoreState, ...]:
        if not np.isfinite(score):
            return ()
        no_event, with_event = quantiles.contains(np.array(score))
        return (ScoreState("the score", score, (raised, high), bool(no_event) and not bool(with_event)),)

    return judged


GROUPS: dict[str, Callable[[Array], NDArray[np.bool_]]] = {
    "all": lambda ph: ph > 0,
    "pH 7.20 and above": lambda ph: ph >= 7.20,
    "pH 7.15 and below": lambda ph: ph <= 7.15,
    "pH below 7.05": lambda ph: ph < 7.05,
}


def lines(folder: Path) -> list[str]:
    """The document, line by line, from the stored rows in `folder`."""
    rows = read(folder / FILE)
    ph = np.array([float(row["ph"]) for row in rows])
    return [
        "# States of labour traces by outcome",
        "",
        "CTU-UHB, development portion: 441 term labours of one hospital, selected for signal quality; the traces end at "
        "birth. Each trace is stated as labour, alone, with the age of its record. The score is out of fold "
        "(4 federated sites, mean of five seeds). The readings of the traces are rules and learn nothing; where a "
        "definition left a choice, it was made on these records and is named in "
        "[ADR 20](../adr/0020-state-apart-from-score.md).",
        "",
        "## At birth",
        "",
        *_states(rows, ph, 0),
        "",
        *_burden(rows, ph),
        "",
        "## With the last 30 minutes hidden",
        "",
        *_states(rows, ph, 30),
        "",
        "## What the rule sets say at birth",
        "",
        *_classes(rows, ph),
        "",
        "## What the alarms rest on",
        "",
        *_sources(rows, ph),
        "",
        "## Traces that end low, or without signal",
        "",
        *_ends(rows),
        "",
        "Made by `python -m studies store states DATA`, then `make evidence`.",
        "",
    ]


def _states(rows: Sequence[Row], ph: Array, lead: int) -> list[str]:
    table = ["| | n | " + " | ".join(STATES) + " | raised or high (95 %) |", "|---|" + "---|" * (len(STATES) + 2)]
    states = np.array([row[f"state_{lead}"] for row in rows])
    for name, chosen in GROUPS.items():
        inside = states[chosen(ph)]
        counts = Counter(inside.tolist())
        alarms = counts[HIGH] + counts[RAISED]
        cells = " | ".join(str(counts[state]) for state in STATES)
        table.append(f"| {name} | {len(inside)} | {cells} | {alarms} ({interval(alarms, len(inside))}) |")
    return table


def interval(count: int, total: int) -> str:
    """Share with its 95 % interval (Wilson), in per cent."""
    z, share = 1.96, count / total
    centre = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z * np.sqrt(share * (1 - share) / total + z**2 / (4 * total**2)) / (1 + z**2 / total)
    return f"{100 * share:.0f} %, {100 * max(0.0, centre - half):.0f} to {100 * min(1.0, centre + half):.0f}"


def _burden(rows: Sequence[Row], ph: Array) -> list[str]:
    well = [row["state_0"] for row, value in zip(rows, ph, strict=True) if value >= 7.20]
    shares = {state: round(100 * well.count(state) / len(well)) for state in STATES}
    return [
        f"**Alarm burden.** Of 100 women whose child had a pH of 7.20 or above, {shares[HIGH]} were *high*, "
        f"{shares[RAISED]} *raised*, {shares['undecided']} *undecided*, {shares['cannot assess']} *cannot assess* and "
        f"{shares[LOW]} *low*."
    ]


def _classes(rows: Sequence[Row], ph: Array) -> list[str]:
    table = [
        "| rule set | group | normal / I | suspicious / II | pathological / III | cannot tell |",
        "|---|---|---|---|---|---|",
    ]
    for key, name in (
        ("figo", "FIGO 2015"),
        ("nichd", "NICHD 2008"),
        ("nice", "NICE, amended"),
        ("nice_2022", "NICE 2022"),
    ):
        for group, chosen in list(GROUPS.items())[1:]:
            counts = Counter(row[f"{key}_0"] for row, inside in zip(rows, chosen(ph), strict=True) if inside)
            table.append(f"| {name} | {group} | {counts['0']} | {counts['1']} | {counts['2']} | {counts['']} |")
    return table


def _sources(rows: Sequence[Row], ph: Array) -> list[str]:
    table = ["| raised or high by | pH 7.20 and above | pH below 7.05 |", "|---|---|---|"]
    well, worst = ph >= 7.20, ph < 7.05

    def add(words: str, holds: Callable[[Row], bool]) -> None:
        hit = np.array([holds(row) for row in rows])
        cells = " | ".join(f"{int((hit & group).sum())} of {int(group.sum())}" for group in (well, worst))
        table.append(f"| {words} | {cells} |")

    add("the reading of the trace alone", lambda row: bool(row["alarm_0"]))
    add("reading and score: the state as it is", lambda row: row["state_0"] in (HIGH, RAISED))
    add("also every other red finding of NICE", lambda row: row["state_0"] in (HIGH, RAISED) or row["nice_0"] == "2")
    return [
        *table,
        "",
        "NICE's other red findings would add many alarms among births with a normal pH and few among those with a low "
        "one. They mean *undecided*, and never *low*.",
    ]


def _ends(rows: Sequence[Row]) -> list[str]:
    low = [row for row in rows if row["median_at_end"] and float(row["median_at_end"]) < 100.0]
    missed = [row for row in low if row["figo_0"] != "2"]
    lost = [row for row in rows if float(row["lost_at_end"]) >= LOST]
    names = "; ".join(
        f"record {row['record']} (pH {row['ph']}, median {float(row['median_at_end']):.0f} bpm, state {row['state_0']})"
        for row in missed
    )
    return [
        f"The raw rate has a median below 100 bpm over the readable part of the last ten minutes in {len(low)} records. "
        f"FIGO is pathological in {len(low) - len(missed)} of them; the state is low in "
        f"{sum(row['state_0'] == LOW for row in low)}." + (f" Not pathological: {names}." if names else ""),
        "",
        f"In {len(lost)} records at least 80 % of the last ten minutes are lost; the state is low in "
        f"{sum(row['state_0'] == LOW for row in lost)}.",
    ]
