"""Commands on cohorts that stand in for women with both examinations."""

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from models.errors import InputError

cohort_app = typer.Typer(no_args_is_help=True, help="Cohorts that stand in for women with both examinations.")
KINDS = ("real", "semi-real", "copula")
LABELS = {
    "real": "Real pairs: trace, pH, and the size at birth in place of a scan (CTU-UHB).",
    "semi-real": "Semi-real: CTU-UHB births with HC18 heads that are not theirs. It proves nothing clinical.",
    "copula": "Synthetic: drawn from stated assumptions. It proves nothing clinical.",
}
BORN = datetime(2026, 1, 1, 12, tzinfo=UTC)


@cohort_app.command("build")
def build(
    kind: Annotated[str, typer.Argument(help="real, semi-real or copula")],
    data: Annotated[Path, typer.Argument(help="Folder with the data sets in their official layouts.")],
    output: Annotated[Path, typer.Argument(help="New folder: cohort.csv, cohort.json, and requests to assess.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same cohort.")] = 0,
    correlation: Annotated[float, typer.Option(help="semi-real: of the head's z-score with the birth weight's.")] = 0.5,
    odds_ratio: Annotated[float, typer.Option(help="copula: below the 3rd centile against the median.")] = 3.5,
    dependence: Annotated[float, typer.Option(help="copula: of the trace with smallness, within outcomes.")] = 0.0,
    prevalence: Annotated[float, typer.Option(help="copula")] = 0.2,
    missing: Annotated[float, typer.Option(help="copula: share without a size.")] = 0.0,
    births: Annotated[int, typer.Option(help="copula")] = 20_000,
    with_files: Annotated[
        bool, typer.Option("--with-files", help="semi-real: copy traces and images, for `cohort assess`.")
    ] = False,
) -> None:
    """Write a cohort; the same arguments give the same one. The three kinds are never mixed."""
    from studies.fusion.cohorts import Assumptions

    if kind not in KINDS:
        raise InputError(f"cohort {kind!r}: one of {', '.join(KINDS)}")
    if output.exists() and any(output.iterdir()):
        raise InputError(f"{output} is not empty")
    for name, value, low, high in (
        ("--correlation", correlation, 0, 1),
        ("--dependence", dependence, -1, 1),
        ("--missing", missing, 0, 1),
    ):
        if not low <= value <= high:
            raise InputError(f"{name} {value:g} is outside {low} to {high}")
    if not (odds_ratio > 0 and 0 < prevalence < 1 and births > 0):
        raise InputError("--odds-ratio and --births must be above 0, --prevalence between 0 and 1")
    if with_files and kind != "semi-real":
        raise InputError("--with-files is for semi-real cohorts")
    assumed = Assumptions(odds_ratio, dependence, prevalence, missing, births)
    settings: dict[str, Any] = {"kind": kind, "label": LABELS[kind], "seed": seed}
    requests: dict[str, Any] = {}
    if kind == "real":
        rows = _real(data)
    elif kind == "semi-real":
        rows, requests = _semi_real(data, correlation, seed)
        settings |= {"correlation": correlation, "images": len({row["image"] for row in rows})}
    else:
        rows = _copula(data, assumed, seed)
        settings |= assumed.__dict__
    output.mkdir(parents=True, exist_ok=True)
    with (output / "cohort.csv").open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (output / "cohort.json").write_text(json.dumps({**settings, "rows": len(rows)}, indent=1) + "\n", encoding="utf-8")
    if requests:
        (output / "requests").mkdir()
    for name, body in requests.items():
        (output / "requests" / f"{name}.json").write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    if with_files:
        _copy_files(data, output, rows)
    typer.echo(f"{LABELS[kind]}\nwritten: {output} ({len(rows)} rows)")


@cohort_app.command("assess")
def assess(
    folder: Annotated[Path, typer.Argument(help="A semi-real cohort, built --with-files.")],
    bundle: Annotated[Path | None, typer.Option(help="Folder of a bundle; default: the shipped one.")] = None,
    scan_valid_days: Annotated[int, typer.Option(help="Scans lie weeks before the birth; 0: as the setting says.")] = 0,
    limit: Annotated[int, typer.Option(help="Only the first so many; 0: all.")] = 0,
) -> None:
    """Run every woman of a cohort from samples and pixels through the whole assessment; writes scores.csv."""
    from dataclasses import replace

    from app.assessments.forms import validated
    from app.assessments.offline import assess as run
    from app.assessments.offline import scratch
    from app.assessments.schemas import Uploads
    from app.settings import settings
    from models.bundle import Bundle, shipped

    cohort = folder / "cohort.csv"
    if not (folder / "files").is_dir() or not cohort.exists():
        raise InputError(f"{folder}: not a semi-real cohort built --with-files")
    with cohort.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))[: limit or None]
    chosen, circumstances = Bundle(bundle or shipped()).warm(), settings().circumstances
    if scan_valid_days:
        circumstances = replace(circumstances, scan_valid_days=scan_valid_days)
    assessed, record = [], scratch()
    with typer.progressbar(rows, label="assessing") as women:
        for row in women:
            name, files = row["record"], folder / "files"
            body = json.loads((folder / "requests" / f"{name}.json").read_text(encoding="utf-8"))
            trace = {f"{name}{end}": (files / f"{name}{end}").read_bytes() for end in (".hea", ".dat")}
            uploads = Uploads(trace, {row["image"]: (files / row["image"]).read_bytes()})
            result = run(record, chosen, validated(body), uploads, circumstances)
            assessed.append(
                {
                    "record": name,
                    "image": row["image"],
                    "state": result["state"],
                    "score": result["score"],
                    "distress": result["distress"]["probability"],
                    "growth": result["growth"]["probability"],
                    "missing": "; ".join(result["missing"]),
                }
            )
    with (folder / "scores.csv").open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(assessed[0]))
        writer.writeheader()
        writer.writerows(assessed)
    typer.echo(
        f"{LABELS['semi-real']}\nwritten: {folder / 'scores.csv'} ({len(assessed)} rows, bundle {chosen.identifier})"
    )


def _copy_files(data: Path, output: Path, rows: list[dict[str, Any]]) -> None:
    """Traces as they are, images as PNG: data sets may lie in archives."""
    from models.datasets import ctu_uhb, hc18
    from models.ultrasound.formats import as_png
    from models.ultrasound.image import UltrasoundImage

    where, folder = ctu_uhb.find(data), hc18.find(data)
    assert where is not None
    assert folder is not None
    files = output / "files"
    files.mkdir()
    wanted = {row["record"] for row in rows}
    for name, header, signals in ctu_uhb.contents(where):
        if name in wanted:
            (files / f"{name}.hea").write_bytes(header)
            (files / f"{name}.dat").write_bytes(signals)
    images = {row["image"] for row in rows}
    for head in hc18.read(folder):
        if head.name in images:
            (files / head.name).write_bytes(as_png(UltrasoundImage(head.pixels)))


def _births(data: Path) -> Any:
    from models.datasets import ctu_uhb

    where = ctu_uhb.find(data)
    if where is None:
        raise InputError(f"{data}: CTU-UHB is not below this folder")
    return ctu_uhb.read(where)


def _real(data: Path) -> list[dict[str, Any]]:
    from studies.fusion.cohorts import real_pairs

    return real_pairs(_births(data))


def _semi_real(data: Path, correlation: float, seed: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rows, and for each a request that `fetal-health assess --request` takes beside record and image."""
    import numpy as np

    from models.datasets import hc18
    from models.evaluation.pairs import birth_sizes
    from models.growth.dating import TERM_DAYS
    from studies.fusion.cohorts import semi_real

    folder = hc18.find(data)
    if folder is None:
        raise InputError(f"{data}: HC18 is not below this folder")
    births, heads = _births(data), {head.name: head for head in hc18.read(folder)}
    weeks = np.array([birth.completed_weeks for birth in births])
    rows = semi_real(
        [birth.name for birth in births],
        birth_sizes(births),
        weeks,
        list(heads),
        np.array([head.head_circumference_mm for head in heads.values()]),
        correlation,
        seed,
    )
    requests = {}
    for row in rows:
        age = row["scan_days"] + row["days_before_birth"]
        due = (BORN + timedelta(days=TERM_DAYS - age)).date()
        requests[row["record"]] = {
            "patient": {
                "pseudonym": f"semi-real {row['record']}",
                "due_date": due.isoformat(),
                "dating_method": "other",
            },
            "ctg": {"stage": "labour", "performed_at": BORN.isoformat()},
            "scan": {
                "performed_at": (BORN - timedelta(days=row["days_before_birth"])).isoformat(),
                "pixel_size_mm": heads[row["image"]].pixel_size_mm,
            },
        }
    return rows, requests


def _copula(data: Path, assumed: Any, seed: int) -> list[dict[str, Any]]:
    """The margins are the shipped model's log-odds of the births below DATA."""
    import numpy as np
    from scipy.special import logit

    from models.bundle import Bundle, shipped
    from models.ctg.acidaemia import MILD
    from models.ctg.analysis import analyse
    from models.ctg.trace_features import trace_features
    from studies.fusion.cohorts import copula_cohort

    model = Bundle(shipped()).acidaemia
    if model is None:
        raise InputError("the shipped bundle is used without its acidaemia model: there are no margins")
    features = np.array([trace_features(analyse(birth.recording)) for birth in _births(data)])
    probability = model.models[MILD.name].probabilities_or_prior(features)
    cohort = copula_cohort(assumed, logit(np.clip(probability, 1e-4, 1 - 1e-4)), seed)
    return [
        {"event": int(event), "trace_log_odds": round(float(trace), 5), "z": "" if np.isnan(z) else round(float(z), 5)}
        for event, trace, z in zip(cohort.event, cohort.trace, cohort.z, strict=True)
    ]
