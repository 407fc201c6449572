"""The open cases of the last hours as files that can be read and printed while the server is down."""

import io
from base64 import b64encode
from datetime import timedelta
from importlib.resources import files
from pathlib import Path

from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.assessments import view
from app.assessments.scans import images_of, stored_head
from app.assessments.store import CURRENT, MARK, Assessment
from app.files import write_synced
from app.orm import now
from app.pages import environment
from models.errors import InputError
from models.ultrasound.overlay import draw

PICTURE = (900, 700)


def export(session: Session, folder: Path, hours: int) -> list[Path]:
    """Write an index and one file for each assessment that is open; returns the latter.

    Parameters
    ----------
    folder : Path
        Created if it does not exist; it must be empty.
    hours : int
        Cases of so many last hours.

    Raises
    ------
    InputError
        The folder holds files, or cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise InputError(f"{folder} holds files already: name an empty folder")
        return _written(session, folder, hours)
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror}") from None


def _written(session: Session, folder: Path, hours: int) -> list[Path]:
    query = (
        select(Assessment)
        .where(CURRENT, Assessment.signed_at.is_(None), Assessment.created_at > now() - timedelta(hours=hours))
        .order_by(*(column.desc() for column in MARK))
    )
    cases = list(session.scalars(query))
    names = {case.id: f"assessment-{case.id}.html" for case in cases}
    about = {"written": now(), "hours": hours, "shapes": view.SHAPES}
    index = environment().get_template("downtime_index.html")
    pages = {"index.html": index.render(about, title="Open cases", cases=cases, names=names)}
    template = environment().get_template("downtime_case.html")
    for case in cases:
        values = view.context(session, case) | {"pictures": _pictures(case)}
        pages[names[case.id]] = template.render(about, title=f"Assessment {case.id}", **values)
    pages["downtime.css"] = (Path(str(files("app"))) / "static" / "downtime.css").read_text(encoding="utf-8")
    for name, text in pages.items():
        write_synced(folder / name, text.encode())
    return [folder / name for name in names.values()]


def _pictures(assessment: Assessment) -> list[str]:
    """The images of the scan with the outline found in each, as base64."""
    lines = assessment.result["growth"]["detail"].get("images", [])
    if assessment.scan is None or len(lines) != len(assessment.scan.files):
        return []
    drawn = []
    for image, line in zip(images_of(assessment.scan), lines, strict=True):
        with Image.open(io.BytesIO(draw(image, stored_head(line)))) as picture:
            picture.thumbnail(PICTURE)
            stream = io.BytesIO()
            picture.save(stream, "PNG")
        drawn.append(b64encode(stream.getvalue()).decode())
    return drawn
