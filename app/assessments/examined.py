"""When an examination was made and of whom it is: what files say is compared with what was stated, never overruled.

The time that a file states is the default. A stated time that differs needs a reason, and both are kept. Where nobody
knows the time, it is taken as today, and the answer says so. Identities are compared in memory; only keyed marks stay.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from app.assessments.store import WITHDRAWN, Assessment
from app.identity import differ, marks_of
from app.orm import now
from app.patients.ages import MAX_AGE_DAYS
from app.patients.store import Examination, Fetus, Pregnancy, StoredFile, Woman
from models.errors import InputError, RangeError
from models.growth.dating import TERM_DAYS
from models.origin import Origin

# Dates before this are no examinations: recorders and de-identification write them.
FIRST_YEAR = 1990
# How far a stated time may lie from the file's: with a zone in the file, and without one.
SAME_MOMENT, SAME_DAY = timedelta(minutes=15), timedelta(hours=24)
CLOCKS_DIFFER = timedelta(hours=1)
STATED, FROM_FILE, AS_TODAY = "stated", "file", "taken as today"


@dataclass(frozen=True)
class Performed:
    """When an examination was made.

    Attributes
    ----------
    at : datetime
    beside : dict
        What is stored beside it: the source ("stated", "file" or "taken as today"), the file's time, and the reason of
        a difference.
    warnings : list of str
    """

    at: datetime
    beside: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def performed(
    kind: str, stated: datetime | None, reason: str, origins: Iterable[Origin], fetus: Fetus, born_at: datetime | None
) -> Performed:
    """When an examination was made, by its files and by what was stated.

    Parameters
    ----------
    kind : {"ctg", "scan"}
    stated : datetime or None
    reason : str
        Why the stated time differs from the file's.
    origins : iterable of Origin
        Of the files; the earliest counts.

    Raises
    ------
    InputError
        The stated time differs from the file's and there is no reason, or the file's time is impossible here.
    RangeError
        The stated time lies in the future, or after the birth.
    """
    found = _earliest(origins)
    wrong = _unusable(found, fetus.pregnancy, born_at) if found is not None else None
    beside: dict[str, Any] = {} if found is None else {"file_made_at": found.isoformat()}
    warnings = []
    if stated is not None:
        check_stated(kind, stated, born_at)
        if found is not None and wrong is None and not _same(stated, found):
            if not reason.strip():
                raise InputError(
                    f"the {kind} file says {_words(found)}, but {_words(stated)} was stated: leave the time empty, or "
                    f"give a reason ({kind}_performed_at_reason)"
                )
            warnings.append(f"The {kind}'s file says {_words(found)}; {_words(stated)} was stated: {reason.strip()}.")
        if reason.strip():
            beside["performed_at_reason"] = reason.strip()[:400]
        return Performed(stated, beside | {"performed_at_source": STATED}, warnings)
    if found is not None and wrong is None:
        return Performed(_aware(found), beside | {"performed_at_source": FROM_FILE})
    if found is not None and wrong is not None and found.year >= FIRST_YEAR:
        ask = f"state when it was made ({kind}_performed_at)"
        raise InputError(f"the {kind} file says {_words(found)}, which {wrong}: {ask}")
    if born_at is not None:
        ask = f"state when the {kind} was made ({kind}_performed_at)"
        raise RangeError(f"today is after the birth ({_words(born_at)}): {ask}")
    name = {"ctg": "CTG", "scan": "scan"}[kind]
    if fetus.pregnancy.due_date is not None:
        removed = f" (the file says {found:%Y}, no date of an examination)" if found is not None else ""
        warnings.append(f"Time of the {name} not known{removed}: taken as today, and so is the age.")
    return Performed(now(), beside | {"performed_at_source": AS_TODAY}, warnings)


def time_words(kind: str, origins: Iterable[Origin], pregnancy: Pregnancy | None) -> str:
    """What the files say of the time, and whether it can be used, in one sentence."""
    found = _earliest(origins)
    if found is None:
        return "The file does not say when it was made: enter the time, or it is taken as today."
    wrong = _unusable(found, pregnancy, None)
    zone = "" if found.tzinfo else " (no zone: taken as UTC)"
    if wrong is None:
        return f"The file says {_words(found)}{zone}; that is used unless you enter another time with a reason."
    return f"The file says {_words(found)}, which {wrong}: enter the time ({kind})."


def _earliest(origins: Iterable[Origin]) -> datetime | None:
    return min((origin.made_at for origin in origins if origin.made_at is not None), key=_aware, default=None)


def _aware(moment: datetime) -> datetime:
    """A time without a zone is taken as UTC; the day can be off by one."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _words(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}{' UTC' if moment.tzinfo == UTC else ''}"


def _same(stated: datetime, found: datetime) -> bool:
    return abs(stated - _aware(found)) <= (SAME_MOMENT if found.tzinfo else SAME_DAY)


def _unusable(found: datetime, pregnancy: Pregnancy | None, born_at: datetime | None) -> str | None:
    """Why the time of a file cannot be that of this examination; None where it can."""
    moment, slack = _aware(found), timedelta(0) if found.tzinfo else SAME_DAY
    if moment.year < FIRST_YEAR:
        return "is no date of an examination"
    if moment > now() + slack + CLOCKS_DIFFER:
        return "lies in the future"
    if born_at is not None and moment > born_at + slack:
        return f"is after the birth ({_words(born_at)})"
    if pregnancy is not None and pregnancy.due_date is not None:
        days = TERM_DAYS - (pregnancy.due_date - moment.date()).days
        if not -slack.days < days <= MAX_AGE_DAYS + slack.days:
            return f"lies outside this pregnancy (due {pregnancy.due_date})"
    return None


def check_stated(kind: str, stated: datetime, born_at: datetime | None) -> None:
    """Refuse a stated time in the future or after the birth, as `performed` does."""
    if stated > now() + CLOCKS_DIFFER:
        raise RangeError(f"{kind}_performed_at: {_words(stated)} lies in the future")
    if born_at is not None and stated > born_at:
        raise RangeError(f"the {kind} of {stated:%Y-%m-%d %H:%M} UTC is after the birth ({born_at:%Y-%m-%d %H:%M} UTC)")


def one_scan(origins: Mapping[str, Origin]) -> list[str]:
    """Check that the images of one scan are of one woman and one day.

    Returns
    -------
    list of str
        Remarks.

    Raises
    ------
    InputError
        They are not.
    """
    pairs = list(origins.items())
    for number, (first, one) in enumerate(pairs):
        for second, other in pairs[number + 1 :]:
            if one.identity and other.identity and one.identity.differs(other.identity):
                raise InputError(f"{first} and {second} are of different women, by what the files say: send one scan")
            days = {moment.date() for moment in (one.made_at, other.made_at) if moment and moment.year >= FIRST_YEAR}
            if len(days) > 1:
                raise InputError(f"{first} and {second} are of different days ({' and '.join(map(str, sorted(days)))})")
    studies = {origin.study for origin in origins.values() if origin.study}
    return [f"the images are of {len(studies)} studies of one day"] if len(studies) > 1 else []


def check_together(ctg: Sequence[Origin], scan: Sequence[Origin]) -> None:
    """Refuse a CTG and a scan whose identifiers, of the same issuer, differ.

    Raises
    ------
    InputError
        They do.
    """
    for one in (origin.identity for origin in ctg):
        for other in (origin.identity for origin in scan):
            if one and other and one.issuer and one.issuer == other.issuer and one.differs(other):
                raise InputError("the CTG and the scan are of different women, by the identifiers in the files")


def marks(key: bytes, origins: Iterable[Origin]) -> list[dict[str, str]]:
    """Keyed marks of the identities that files state, without repeats."""
    found: list[dict[str, str]] = []
    for origin in origins:
        mark = marks_of(key, origin.identity) if origin.identity else {}
        if mark and mark not in found:
            found.append(mark)
    return found


def identity_of(session: Session, woman: Woman, stated: Sequence[dict[str, str]]) -> str:
    """Whether files are of this woman, by her earlier files: "matches", "differs" or "unknown"."""
    earlier = _earlier_marks(session, woman) if stated else []
    if any(differ(one, other) for one in stated for other in earlier):
        return "differs"
    same = any(one.get("identifier") and one == other for one in stated for other in earlier)
    return "matches" if same else "unknown"


def _earlier_marks(session: Session, woman: Woman) -> list[dict[str, str]]:
    query = (
        select(Examination.parameters)
        .join(Fetus, Examination.fetus_id == Fetus.id)
        .join(Pregnancy, Fetus.pregnancy_id == Pregnancy.id)
        .where(Pregnancy.woman_id == woman.id, _counts())
    )
    return [mark for parameters in session.scalars(query) for mark in parameters.get("identity", [])]


def _counts() -> ColumnElement[bool]:
    """Examinations of which some assessment was not entered in error."""
    of_this = or_(Assessment.ctg_id == Examination.id, Assessment.scan_id == Examination.id)
    own = select(Assessment.id).where(Assessment.fetus_id == Examination.fetus_id, of_this)
    return own.where(Assessment.standing > WITHDRAWN).correlate(Examination).exists()


def stored_elsewhere(session: Session, woman: Woman, hashes: Iterable[str]) -> bool:
    """Whether one of these files is stored for another woman."""
    query = (
        select(StoredFile.id)
        .join(Examination, StoredFile.examination_id == Examination.id)
        .join(Fetus, Examination.fetus_id == Fetus.id)
        .join(Pregnancy, Fetus.pregnancy_id == Pregnancy.id)
        .where(StoredFile.sha256.in_(list(hashes)), Pregnancy.woman_id != woman.id, _counts())
        .limit(1)
    )
    return session.scalar(query) is not None


def check_woman(
    session: Session, woman: Woman, stated: Sequence[dict[str, str]], hashes: Iterable[str], reason: str
) -> None:
    """Ask back, unless a reason is given, where files are another woman's by her earlier ones, or stored for another.

    Raises
    ------
    InputError
        They are; the message asks for `identity_reason`.
    """
    if reason.strip():
        return
    if identity_of(session, woman, stated) == "differs":
        raise InputError(
            f"the file names another woman than the earlier files of {woman.pseudonym}: is it hers? If so, give a "
            "reason (identity_reason)"
        )
    if stored_elsewhere(session, woman, hashes):
        raise InputError(
            "this file is stored for another woman already: is it this woman's? If so, give a reason (identity_reason)"
        )
