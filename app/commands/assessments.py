"""Commands on assessments: assess files, measure an image, analyse a trace, repeat and monitor what is stored."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from models.errors import InputError

NOTICE = "Research prototype. Not a medical device."
Rate = Annotated[float | None, typer.Option(help="Hz, for a CSV that does not state it.")]
Channel = Annotated[int | None, typer.Option(help="1 or 2, where a file holds two fetal heart rates.")]
Columns = Annotated[str | None, typer.Option(help="What columns of a table hold, such as FCF:fhr1,tempo:time.")]
Stage = Annotated[str, typer.Option(help="labour, antepartum or unknown")]


def assess(
    request: Annotated[Path | None, typer.Option(help="JSON in the format of the REST API; options add to it.")] = None,
    ctg: Annotated[list[Path] | None, typer.Option(help="CTG file; a WFDB record needs .hea and .dat.")] = None,
    image: Annotated[list[Path] | None, typer.Option(help="PNG, JPEG or DICOM of the head; may repeat.")] = None,
    features: Annotated[Path | None, typer.Option(help="JSON file with named CTG features.")] = None,
    sampling_rate_hz: Rate = None,
    columns: Columns = None,
    channel: Channel = None,
    stage: Annotated[str | None, typer.Option(help="labour, antepartum or unknown")] = None,
    pixel_size_mm: Annotated[float | None, typer.Option(help="Where the image states no scale.")] = None,
    head_circumference_mm: Annotated[float | None, typer.Option(help="Typed; replaces the measured one.")] = None,
    abdominal_circumference_mm: Annotated[float | None, typer.Option(help="Typed.")] = None,
    femur_length_mm: Annotated[float | None, typer.Option(help="Typed.")] = None,
    gestational_age: Annotated[str | None, typer.Option(help="At the scan, weeks+days.")] = None,
    prior: Annotated[
        str | None, typer.Option(help="training, population or a prevalence; default: the setting.")
    ] = None,
    bundle: Annotated[Path | None, typer.Option(help="Folder of a bundle; default: the shipped one.")] = None,
) -> None:
    """Assess files and print the same JSON that the REST API returns; nothing is stored."""
    from dataclasses import replace

    from app.assessments.forms import validated
    from app.assessments.offline import assess as run
    from app.assessments.offline import scratch
    from app.assessments.schemas import Uploads
    from app.settings import settings
    from models.bundle import Bundle, shipped
    from models.fusion.prior import Prior

    body: dict[str, Any] = _json(request) if request else {}
    if not isinstance(body, dict):
        raise InputError(f"{request}: expected a JSON object")
    files = Uploads(_files(ctg, signals=True), _files(image))
    options = {
        "ctg": {
            "features": _json(features) if features else None,
            "sampling_rate_hz": sampling_rate_hz,
            "channel": channel,
            "columns": columns,
            "stage": stage,
        },
        "scan": {
            "pixel_size_mm": pixel_size_mm,
            "head_circumference_mm": head_circumference_mm,
            "abdominal_circumference_mm": abdominal_circumference_mm,
            "femur_length_mm": femur_length_mm,
            "gestational_age": gestational_age,
        },
    }
    for part, values in options.items():
        given = {name: value for name, value in values.items() if value is not None}
        if given:
            body[part] = {**(body.get(part) or {}), **given}
    body.setdefault("patient", {"pseudonym": "command line"})
    circumstances = settings().circumstances
    if prior is not None:
        circumstances = replace(circumstances, prior=Prior.parse(prior))
    result = run(scratch(), Bundle(bundle or shipped()), validated(body), files, circumstances)
    typer.echo(json.dumps(result, indent=1))


def repeat(identifier: Annotated[int, typer.Argument(help="Number of the assessment.")]) -> None:
    """Compute a stored assessment again from its files; exit code 1 where a digit differs."""
    from app.accounts.guards import User
    from app.accounts.store import Role
    from app.assessments.service import Assessor
    from app.assessments.store import Assessment
    from app.bundles.service import BundleRegistry
    from app.database import make_engine, session_factory
    from app.settings import settings
    from app.transactions import unit_of_work

    chosen = settings()
    with unit_of_work(session_factory(make_engine(chosen.database))) as session:
        assessment = session.get(Assessment, identifier)
        if assessment is None:
            raise InputError(f"no assessment {identifier}")
        bundle, user = BundleRegistry(chosen.home).open(assessment.bundle), User(None, "command line", Role.CLINICIAN)
        lines = Assessor(session, bundle, user, chosen.circumstances).repeat(assessment)
    for line in lines:
        typer.echo(line)
    typer.echo(f"assessment {identifier}: {f'{len(lines)} differences' if lines else 'the same to the last digit'}")
    if lines:
        raise typer.Exit(1)


def export(
    downtime: Annotated[Path, typer.Option(help="Empty folder for the open cases, readable without the server.")],
    hours: Annotated[int, typer.Option(min=1, max=24 * 14, help="Cases of so many last hours.")] = 24,
) -> None:
    """Write the open cases of the last hours as files that can be read and printed without the server."""
    from app.assessments.downtime import export as run
    from app.audit.store import record
    from app.home import session_of_home

    with session_of_home() as session:
        written = run(session, downtime, hours)
        record(session, None, "downtime.export", name="command line", cases=len(written), hours=hours)
    typer.echo(f"{len(written)} open cases of the last {hours} hours: open {downtime / 'index.html'}")


def monitor(as_json: Annotated[bool, typer.Option("--json", help="Everything as JSON.")] = False) -> None:
    """Check drift, refusals and live calibration of every hospital and bundle; exit code 4 while notices are open."""
    from app.bundles.service import BundleRegistry
    from app.database import make_engine, session_factory
    from app.monitoring import service
    from app.monitoring.store import open_notices
    from app.settings import settings
    from app.transactions import unit_of_work

    chosen = settings()
    registry = BundleRegistry(chosen.home)
    with unit_of_work(session_factory(make_engine(chosen.database))) as session:
        reports = [
            service.raise_notices(session, hospital, registry.open(bundle))
            for hospital, bundle in service.monitored_hospitals(session)
        ]
        notices = [f"{n.site}, {n.bundle}: {n.text}" for n in open_notices(session)]
    if as_json:
        typer.echo(json.dumps({"reports": reports, "notices": notices}, indent=1))
    else:
        for report in reports:
            outcomes = report["outcomes"]["births"]
            words = f"{report['assessments']} assessments, {outcomes} with an outcome"
            typer.echo(f"{report['site']}, {report['bundle']}: {words}")
        typer.echo("\n".join(notices) or "no open notices")
    if notices:
        raise typer.Exit(4)


def _files(paths: list[Path] | None, *, signals: bool = False) -> dict[str, bytes]:
    """Content by name; a WFDB header brings the signal file in its folder along."""
    files: dict[str, bytes] = {}
    for path in paths or []:
        name = path.name if path.name not in files else f"{path.name} ({len(files) + 1})"
        files[name] = _bytes(path)
    if signals and paths and len(paths) == 1 and paths[0].suffix == ".hea":
        beside = paths[0].with_suffix(".dat")
        if beside.exists():
            files[beside.name] = _bytes(beside)
    return files


def measure(
    image: Annotated[list[Path], typer.Argument(help="PNG, JPEG or DICOM of one head; several are combined.")],
    mm_per_pixel: Annotated[float | None, typer.Option(help="Where the file states no scale.")] = None,
    calliper: Annotated[str | None, typer.Option(help="x0,y0,x1,y1,mm: a line of known length.")] = None,
    frame: Annotated[int | None, typer.Option(help="Only this frame of a DICOM clip.")] = None,
    ga: Annotated[str | None, typer.Option(help="Gestational age, weeks+days.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Everything as JSON.")] = False,
    overlay: Annotated[Path | None, typer.Option(help="Write the first image with its outline here, .png.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="Folder of a bundle; default: the shipped one.")] = None,
) -> None:
    """Measure the fetal head in an image; with an age, judge its size. Exit code 3: cannot assess."""
    from app.patients.ages import parse_age
    from models.bundle import Bundle, shipped
    from models.fusion.growth import growth_part
    from models.fusion.inputs import ScanImage, ScanInput
    from models.growth.assessment import Age
    from models.ultrasound import formats as image_formats
    from models.ultrasound.image import Scale
    from models.ultrasound.overlay import draw, lines

    if overlay is not None and overlay.suffix != ".png":
        raise InputError(f"{overlay}: the overlay is written as .png")
    scale = Scale(mm_per_pixel, _numbers(calliper, 5, "--calliper") if calliper else None)
    chosen = Bundle(bundle or shipped())
    pictures = [picture for path in image for picture in image_formats.read(path.name, _bytes(path), scale, frame)]
    images = tuple(ScanImage(picture, chosen.segmenter.head(picture.pixels)) for picture in pictures)
    age = Age(parse_age(ga), "as given") if ga else None
    growth = growth_part(chosen, ScanInput(images=images, age=age))
    part, warnings = growth.part, growth.warnings
    if overlay is not None:
        _write(overlay, draw(pictures[0], images[0].head))
    detail = {**part.detail, "warnings": warnings, "bundle": chosen.identifier, "notice": NOTICE}
    unjudged = [f"size not judged: {part.refusal}"] if age and part.refusal and "measures" in detail else []
    typer.echo(json.dumps(detail, indent=1) if as_json else "\n".join([*lines(detail), *unjudged, *warnings, NOTICE]))
    if "measures" not in detail:
        raise typer.Exit(3)


def _numbers(text: str, count: int, option: str) -> Any:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) != count:
        raise InputError(f"{option} {text!r}: expected {count} numbers with commas between")
    return values


def analyse(
    record: Annotated[list[Path], typer.Argument(help="CTG file; of a WFDB record the .hea is enough.")],
    strip: Annotated[Path | None, typer.Option(help="Write the strip here, .svg or .pdf.")] = None,
    speed: Annotated[int, typer.Option(help="Paper speed, cm/min: 1, 2 or 3.")] = 1,
    scale: Annotated[int, typer.Option(help="bpm per cm: 30 or 20.")] = 30,
    sampling_rate_hz: Rate = None,
    columns: Columns = None,
    channel: Channel = None,
    stage: Stage = "unknown",
    as_json: Annotated[bool, typer.Option("--json", help="All measurements as JSON.")] = False,
) -> None:
    """Measure a CTG (quality, baseline, events, variability, guidelines) and draw its strip."""
    from app.settings import settings
    from models.ctg.analysis import analyse as analyse_trace
    from models.ctg.guidelines import classify
    from models.ctg.reading import read
    from models.ctg.strip import Marks, Paper, strip_pdf, strip_svg
    from models.ctg.summary import lines, trace_detail
    from models.fusion.state import Evidence, judge
    from models.fusion.trace_state import trace_state

    paper = Paper(speed, scale)
    if strip is not None and strip.suffix not in {".svg", ".pdf"}:
        raise InputError(f"{strip}: the strip is written as .svg or .pdf")
    recording, stage = _recording(record, sampling_rate_hz, columns, channel, stage)
    analysis = analyse_trace(recording)
    reading = read(analysis, stage)
    guidelines = classify(reading, stage, nice=settings().nice)
    verdict = judge(Evidence(trace=trace_state(reading, guidelines, stage, None), no_score="a score needs a bundle"))
    detail = trace_detail(analysis, reading, stage, guidelines)
    begun = recording.origin.made_at
    said = [f"begins {begun:%Y-%m-%d %H:%M} as the file says"] if begun is not None else []
    said += [f"file: {remark}" for remark in recording.remarks]
    if as_json:
        head = {"state": verdict.state, "state_reasons": list(verdict.reasons), "file": said}
        typer.echo(json.dumps({**head, **detail}, indent=1))
    else:
        *body, notice = lines(analysis, detail)
        typer.echo("\n".join([f"{verdict.state}: {'; '.join(verdict.reasons)}", *body, *said, notice]))
    if strip is not None:
        svg = strip_svg(recording, Marks.of(reading), paper, title=record[0].stem)
        _write(strip, strip_pdf(svg) if strip.suffix == ".pdf" else svg.encode())
        typer.echo(f"written: {strip}", err=as_json)
    if analysis.quality.refusal:
        raise typer.Exit(3)


def _recording(
    paths: list[Path], sampling_rate_hz: float | None, columns: str | None, channel: int | None, stage: str
) -> tuple[Any, str]:
    """The recording and its stage; a WFDB header brings its signal file along."""
    from models.ctg import formats

    if stage not in {"labour", "antepartum", "unknown"}:
        raise InputError("--stage is labour, antepartum or unknown")
    files = _files(paths, signals=True)
    recording = formats.read(files, sampling_rate_hz, channel, formats.column_map(columns))
    return recording, recording.stage if stage == "unknown" else stage


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None


def _json(path: Path) -> Any:
    try:
        return json.loads(_bytes(path))
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON ({error})") from None
