"""The command ``fetal-health``."""

import contextlib
import ctypes
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from models.errors import FetalHealthError, InputError

NOTICE = "Research prototype. Not a medical device."
app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
models_app = typer.Typer(no_args_is_help=True, help="Bundles: list, show, promote, roll back.")
data_app = typer.Typer(no_args_is_help=True, help="Data sets: fetch, check, make synthetic ones.")
user_app = typer.Typer(no_args_is_help=True, help="Accounts.")
app.add_typer(models_app, name="models")
app.add_typer(data_app, name="data")
app.add_typer(user_app, name="user")
Channel = Annotated[int | None, typer.Option(help="1 or 2, where a file holds two fetal heart rates.")]
Stage = Annotated[str, typer.Option(help="labour, antepartum or unknown")]
Reason = Annotated[str, typer.Option(help="Why; kept in the audit.")]


def main() -> None:
    """Entry point: expected errors are one line and exit code 2, never a traceback."""
    from federated.cli import app as federate

    app.add_typer(federate, name="federate")
    try:
        app()
    except FetalHealthError as error:
        typer.echo(f"fetal-health: {error}", err=True)
        sys.exit(2)


def _session() -> Any:
    from app.database import make_engine, migrate, session_factory, unit_of_work
    from app.settings import settings

    chosen = settings()
    chosen.home.mkdir(parents=True, exist_ok=True)
    engine = make_engine(chosen.database)
    migrate(engine)
    return unit_of_work(session_factory(engine))


def _registry() -> Any:
    from app.registry.service import BundleRegistry
    from app.settings import settings

    return BundleRegistry(settings().home)


@app.command()
def migrate(revision: str = "head") -> None:
    """Bring the database schema to a revision."""
    from app.database import make_engine
    from app.database import migrate as run
    from app.settings import settings

    settings().home.mkdir(parents=True, exist_ok=True)
    run(make_engine(settings().database), revision)
    typer.echo(f"schema at {revision}")


@app.command()
def serve(
    host: str | None = None,
    port: int | None = None,
    prepare: Annotated[bool, typer.Option(help="Migrate, first administrator, demonstration patients.")] = False,
) -> None:
    """Serve the application."""
    import uvicorn

    from app.settings import settings

    _share_memory()
    chosen = settings()
    if prepare:
        from app.installation import ADMINISTRATOR
        from app.installation import prepare as run

        password = run(chosen, demonstration=True)
        if password:
            typer.echo(f"\n  First administrator: {ADMINISTRATOR}\n  Password (shown once): {password}\n")
    address, number = host or chosen.host, port or chosen.port
    typer.echo(f"Fetal-Health on http://{address}:{number}  (research prototype, not a medical device)")
    uvicorn.run(
        "app.main:create_app", factory=True, host=address, port=number, log_level="warning", server_header=False
    )


def _share_memory() -> None:
    """Let threads share two heaps (glibc): one a thread costs 200 MB under ten clients and gains nothing."""
    arena_max = -8  # M_ARENA_MAX of malloc.h
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").mallopt(arena_max, 2)


@app.command()
def assess(
    ctg: Annotated[list[Path] | None, typer.Option(help="CTG file; a WFDB record needs .hea and .dat.")] = None,
    image: Annotated[list[Path] | None, typer.Option(help="PNG, JPEG or DICOM of the head; may repeat.")] = None,
    features: Annotated[Path | None, typer.Option(help="JSON file with named CTG features.")] = None,
    sampling_rate_hz: float | None = None,
    channel: Channel = None,
    stage: Stage = "unknown",
    pixel_size_mm: float | None = None,
    head_circumference_mm: float | None = None,
    abdominal_circumference_mm: float | None = None,
    femur_length_mm: float | None = None,
    gestational_age: Annotated[str | None, typer.Option(help="At the scan, weeks+days.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="Folder of a bundle; default: the shipped one.")] = None,
) -> None:
    """Assess files with the shipped bundle and print JSON; nothing is stored."""
    from app.patients.schemas import parse_age
    from models.bundle import Bundle, shipped
    from models.ctg.analysis import analyse
    from models.fusion.parts import CtgInput, ScanImage, ScanInput
    from models.fusion.risk import assess as run
    from models.growth.assessment import Age
    from models.growth.measures import AC, FL, HC
    from models.ultrasound import formats as image_formats
    from models.ultrasound.image import Scale

    chosen = Bundle(bundle or shipped())
    ctg_input = scan_input = None
    if features:
        ctg_input = CtgInput(features=_json(features))
    elif ctg:
        recording, stage = _recording(ctg, sampling_rate_hz, channel, stage)
        ctg_input = CtgInput(analysis=analyse(recording), stage=stage)
    typed = {HC: head_circumference_mm, AC: abdominal_circumference_mm, FL: femur_length_mm}
    known = {measure: value for measure, value in typed.items() if value is not None}
    if image or known:
        scale = Scale(pixel_size_mm)
        pictures = [one for path in image or [] for one in image_formats.read(path.name, _bytes(path), scale)]
        scan_input = ScanInput(
            images=tuple(ScanImage(picture, chosen.segmenter.head(picture.pixels)) for picture in pictures),
            typed=known,
            age=Age(parse_age(gestational_age), "as given") if gestational_age else None,
        )
    typer.echo(json.dumps(run(chosen, ctg_input, scan_input).as_dict(), indent=1))


@app.command("measure")
def measure_image(
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
    from app.patients.schemas import parse_age
    from models.bundle import Bundle, shipped
    from models.fusion.growth import growth_part
    from models.fusion.parts import ScanImage, ScanInput
    from models.growth.assessment import Age
    from models.ultrasound import formats as image_formats
    from models.ultrasound.image import Scale
    from models.ultrasound.overlay import draw, lines

    if overlay is not None and overlay.suffix != ".png":
        raise InputError(f"{overlay}: the overlay is written as .png")
    scale = Scale(mm_per_pixel, _numbers(calliper, 5, "--calliper") if calliper else None)
    chosen = Bundle(bundle or shipped())
    pictures = [one for path in image for one in image_formats.read(path.name, _bytes(path), scale, frame)]
    images = tuple(ScanImage(picture, chosen.segmenter.head(picture.pixels)) for picture in pictures)
    age = Age(parse_age(ga), "as given") if ga else None
    warnings: list[str] = []
    part, _ = growth_part(chosen, ScanInput(images=images, age=age), warnings)
    if overlay is not None:
        _write(overlay, draw(pictures[0], images[0].head))
    detail = {**part.detail, "warnings": warnings, "bundle": chosen.identifier, "notice": NOTICE}
    typer.echo(json.dumps(detail, indent=1) if as_json else "\n".join([*lines(detail), *warnings, NOTICE]))
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


@app.command("analyse")
def analyse_record(
    record: Annotated[list[Path], typer.Argument(help="CTG file; of a WFDB record the .hea is enough.")],
    strip: Annotated[Path | None, typer.Option(help="Write the strip here, .svg or .pdf.")] = None,
    speed: Annotated[int, typer.Option(help="Paper speed, cm/min: 1, 2 or 3.")] = 1,
    scale: Annotated[int, typer.Option(help="bpm per cm: 30 or 20.")] = 30,
    sampling_rate_hz: float | None = None,
    channel: Channel = None,
    stage: Stage = "unknown",
    as_json: Annotated[bool, typer.Option("--json", help="All measurements as JSON.")] = False,
) -> None:
    """Measure a CTG: quality, baseline, events, variability, guidelines; and draw it on paper."""
    from models.ctg.analysis import analyse
    from models.ctg.strip import Paper, strip_pdf, strip_svg
    from models.ctg.summary import lines
    from models.fusion.detail import trace_detail

    paper = Paper(speed, scale)
    if strip is not None and strip.suffix not in {".svg", ".pdf"}:
        raise InputError(f"{strip}: the strip is written as .svg or .pdf")
    recording, stage = _recording(record, sampling_rate_hz, channel, stage)
    analysis = analyse(recording)
    detail = trace_detail(analysis, stage)
    typer.echo(json.dumps(detail, indent=1) if as_json else "\n".join(lines(recording, analysis, detail)))
    if strip is not None:
        svg = strip_svg(recording, analysis, paper, title=record[0].stem)
        _write(strip, strip_pdf(svg) if strip.suffix == ".pdf" else svg.encode())
        typer.echo(f"written: {strip}", err=as_json)
    if analysis.quality.refusal:
        raise typer.Exit(3)


def _recording(paths: list[Path], sampling_rate_hz: float | None, channel: int | None, stage: str) -> tuple[Any, str]:
    """The recording, its signal file taken from beside a WFDB header, and its stage."""
    from models.ctg import formats

    if stage not in {"labour", "antepartum", "unknown"}:
        raise InputError("--stage is labour, antepartum or unknown")
    files = {path.name: _bytes(path) for path in paths}
    if len(paths) == 1 and paths[0].suffix == ".hea" and (signals := paths[0].with_suffix(".dat")).exists():
        files[signals.name] = _bytes(signals)
    recording = formats.read(files, sampling_rate_hz, channel)
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


@app.command()
def evaluate(
    data: Annotated[Path, typer.Argument(help="Folder with data sets in their official layouts.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Score the bundle in service (without a database: the shipped one) on a folder of data sets."""
    from app.settings import settings
    from models.bundle import Bundle, shipped
    from models.evaluation.report import evaluate as run
    from models.evaluation.report import words

    chosen = settings()
    folder = shipped()
    database = chosen.database
    if not database.startswith("sqlite:///") or Path(database.removeprefix("sqlite:///")).exists():
        from app.registry.service import BundleRegistry
        from app.registry.store import latest

        with _session() as session:
            deployment = latest(session)
            folder = BundleRegistry(chosen.home).folder(deployment.bundle_id) if deployment else folder
    if not data.is_dir():
        raise InputError(f"{data}: not a folder")
    report = run(Bundle(folder), data)
    typer.echo(json.dumps(report) if as_json else words(report))


@app.command()
def doctor() -> None:
    """Look whether everything an installation needs is in order."""
    from app.diagnosis import diagnose

    lines = diagnose()
    for good, text in lines:
        typer.echo(f"{'ok     ' if good else 'PROBLEM'}  {text}")
    if not all(good for good, _ in lines):
        raise typer.Exit(1)


@app.command()
def backup(archive: Path) -> None:
    """Write database and bundles into an archive; the application may run."""
    from app.backup import backup as run
    from app.settings import settings

    run(settings(), archive)
    typer.echo(f"written: {archive}")


@app.command()
def restore(archive: Path) -> None:
    """Put an archive back into an empty home."""
    from app.backup import restore as run
    from app.settings import settings

    run(settings(), archive)
    typer.echo(f"restored into {settings().home}")


@user_app.command("add")
def user_add(
    name: str,
    role: Annotated[str, typer.Option(help="clinician, operator or administrator")] = "clinician",
    password_stdin: Annotated[bool, typer.Option(help="Read the password from standard input.")] = False,
) -> None:
    """Add an account; without --password-stdin a random password is printed once."""
    import secrets

    from app.accounts.service import create_account
    from app.accounts.store import Role
    from app.audit.store import record

    if role not in list(Role):
        raise InputError(f"role {role!r}: one of {', '.join(Role)}")
    password = sys.stdin.readline().rstrip("\n") if password_stdin else secrets.token_urlsafe(12)
    with _session() as session:
        create_account(session, name, password, Role(role))
        record(session, None, "user.add", name="command line", added=name, role=role)
    typer.echo(f"added {name} ({role})" + ("" if password_stdin else f", password (shown once): {password}"))


@models_app.command("list")
def models_list() -> None:
    """All bundles; the one in service is marked."""
    from app.registry.store import bundles, latest

    with _session() as session:
        _registry().ensure_shipped(session)
        current = latest(session)
        for row in bundles(session):
            mark = "*" if current and current.bundle_id == row.identifier else " "
            typer.echo(f"{mark} {row.identifier}  {row.name}  {row.registered_at:%Y-%m-%d %H:%M}  gate {row.gate}")


@models_app.command("show")
def models_show(identifier: str) -> None:
    """The model card of a bundle."""
    from app.registry.store import BundleRow
    from models.bundle import CARD

    with _session() as session:
        registry = _registry()
        registry.ensure_shipped(session)
        row = session.get(BundleRow, identifier)
        if row is None:
            raise InputError(f"no bundle {identifier}")
        typer.echo((registry.folder(identifier) / CARD).read_text(encoding="utf-8"))


@models_app.command("promote")
def models_promote(
    candidate: Annotated[str, typer.Argument(help="Identifier, or the folder of a candidate.")],
    reason: Reason,
    force: Annotated[bool, typer.Option(help="Promote although the gate refused it.")] = False,
) -> None:
    """Put a bundle in service; a running application takes it up without a restart."""
    from app.audit.store import record

    registry = _registry()
    with _session() as session:
        registry.ensure_shipped(session)
        identifier = candidate
        if Path(candidate).is_dir():
            gate = _gate(Path(candidate))
            identifier = registry.register(session, Path(candidate), gate=gate).identifier
        registry.promote(session, identifier, "command line", reason, force=force)
        record(session, None, "bundle.promote", name="command line", bundle=identifier, reason=reason, force=force)
    typer.echo(f"in service: {identifier}")


def _gate(candidate: Path) -> str:
    path = candidate.parent / "gate.json"
    if not path.exists():
        return "none"
    return "passed" if all(verdict["passed"] for verdict in json.loads(path.read_text())) else "refused"


@models_app.command("rollback")
def models_rollback(reason: Reason) -> None:
    """Put the bundle back in service that served before."""
    from app.audit.store import record

    with _session() as session:
        made = _registry().roll_back(session, "command line", reason)
        record(session, None, "bundle.roll-back", name="command line", bundle=made.bundle_id, reason=reason)
        typer.echo(f"in service: {made.bundle_id}")


@data_app.command("fetch")
def data_fetch(
    folder: Path, name: Annotated[str, typer.Option(help="uci, ctu-uhb or hc18; default all.")] = ""
) -> None:
    """Download data sets from their official homes (needs internet)."""
    from models.datasets.download import fetch

    for line in fetch(folder, name):
        typer.echo(line)


@data_app.command("check")
def data_check(folder: Path) -> None:
    """Say which data sets are below a folder and whether they can be read."""
    from models.datasets.download import check

    lines = check(folder)
    for good, text in lines:
        typer.echo(f"{'ok     ' if good else 'absent '}  {text}")
    if not any(good for good, _ in lines):
        raise typer.Exit(1)


@data_app.command("synthesise")
def data_synthesise(folder: Path, seed: int = 0) -> None:
    """Write synthetic data sets in the official layouts (evidence of nothing)."""
    from models.datasets.synthetic import write

    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty")
    write(folder, seed=seed)
    typer.echo(f"written: {folder}")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
