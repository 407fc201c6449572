"""Jobs of workers: everything on assessments that parses files or runs models. Each stores in one short transaction."""

import json
import logging
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.accounts.guards import User
from app.assessments import previews
from app.assessments.amend import add as add_to
from app.assessments.amend import redate
from app.assessments.answers import answer
from app.assessments.schemas import AssessmentRequest, MoveRequest, OutlineRequest, ScaleRequest, TimeRequest, Uploads
from app.assessments.service import Assessor, outline_of, scale_of
from app.assessments.store import Assessment, find
from app.assessments.withdrawal import move as move_to
from app.idempotency import once
from app.monitoring.service import raise_notices
from app.transactions import attempt, unit_of_work
from app.workplace import Workplace
from models.errors import FetalHealthError

_log = logging.getLogger(__name__)
# After so many assessments drift is looked at, also where nobody opens the page.
MONITOR_EVERY = 20


def answered(place: Workplace, job: Callable[..., int], *values: Any) -> tuple[int, bytes]:
    """What a job of this module stores, as its number and the JSON of the answer."""
    number = job(place, *values)
    with unit_of_work(place.sessions) as session:
        return number, answer(session, find(session, number)).model_dump_json().encode()


def create(place: Workplace, user: User, request: AssessmentRequest, uploads: Uploads, key: str | None = None) -> int:
    """Assess and store; returns the number of the assessment, or of the one that the same key made before."""

    def make(session: Session) -> str:
        return str(_assessor(place, session, user).create(request, uploads).id)

    number, fresh = once(place.sessions, user, key, _fingerprint(request, uploads) if key else "", make)
    return _monitored(place, int(number)) if fresh else int(number)


def _fingerprint(request: AssessmentRequest, uploads: Uploads) -> str:
    files = [(n, sha256(c).hexdigest()) for group in (uploads.ctg, uploads.image) for n, c in sorted(group.items())]
    return request.model_dump_json() + json.dumps(files)


def add(place: Workplace, user: User, number: int, request: AssessmentRequest, uploads: Uploads) -> int:
    """Assess again with what was left out."""
    return _amended(place, user, number, lambda assessor, old: add_to(assessor, old, request, uploads))


def correct_time(place: Workplace, user: User, number: int, request: TimeRequest) -> int:
    """Assess again with another time of an examination."""
    return _amended(place, user, number, lambda assessor, old: redate(assessor, old, request))


def move(place: Workplace, user: User, number: int, request: MoveRequest) -> int:
    """Assess again for another woman or fetus; the old assessment is entered in error."""
    to = (request.patient, request.fetus, request.reason, request.identity_reason)
    return _amended(place, user, number, lambda assessor, old: move_to(assessor, old, *to))


def correct_outline(place: Workplace, user: User, number: int, request: OutlineRequest) -> int:
    """Assess again with a drawn outline."""
    return correct(place, user, number, outline_of(request, user), request.reason)


def correct_scale(place: Workplace, user: User, number: int, request: ScaleRequest) -> int:
    """Assess again with a stated scale."""
    return _amended(
        place, user, number, lambda assessor, old: assessor.correct(old, scale_of(request, old.scan), request.reason)
    )


def correct(place: Workplace, user: User, number: int, changes: Mapping[str, Any], reason: str) -> int:
    """Assess again with some parameters of the scan changed."""
    return _amended(place, user, number, lambda assessor, old: assessor.correct(old, changes, reason))


def repeat(place: Workplace, user: User, number: int) -> list[str]:
    """Compute a stored assessment again and list where it differs."""

    def work(session: Session) -> list[str]:
        assessment = find(session, number)
        bundle = place.bundles.open(assessment.bundle)
        return Assessor(session, bundle, user, place.settings.circumstances).repeat(assessment)

    return attempt(place.sessions, work)


def check_ctg(place: Workplace, files: Mapping[str, bytes], typed: Mapping[str, str]) -> dict[str, Any]:
    """What is shown of a chosen CTG."""
    with unit_of_work(place.sessions) as session:
        return previews.preview_ctg(files, typed, previews.Context.of(session, typed, place.identity_key))


def check_image(place: Workplace, files: Mapping[str, bytes], typed: Mapping[str, str]) -> dict[str, Any]:
    """What is shown of chosen images."""
    with unit_of_work(place.sessions) as session:
        context = previews.Context.of(session, typed, place.identity_key)
        return previews.preview_images(files, typed, context, place.bundles.get(session))


def _assessor(place: Workplace, session: Session, user: User) -> Assessor:
    return Assessor(session, place.bundles.get(session), user, place.settings.circumstances, place.identity_key)


def _amended(place: Workplace, user: User, number: int, change: Callable[[Assessor, Assessment], Assessment]) -> int:
    def work(session: Session) -> int:
        return change(_assessor(place, session, user), find(session, number)).id

    return _monitored(place, attempt(place.sessions, work))


def _monitored(place: Workplace, number: int) -> int:
    """Look at drift after every so many assessments; this one is stored, whatever comes of it."""
    if number % MONITOR_EVERY == 0:
        try:
            with unit_of_work(place.sessions) as session:
                raise_notices(session, place.settings.circumstances.hospital, place.bundles.get(session))
        except (SQLAlchemyError, FetalHealthError) as error:
            _log.warning("monitoring after assessment %d: %s", number, error)
    return number
