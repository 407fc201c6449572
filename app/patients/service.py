"""Registering women, and the gestational age at an examination."""

from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from app.database import now
from app.patients.schemas import MAX_AGE_DAYS, PatientRequest, parse_age
from app.patients.store import Fetus, Pregnancy, Woman, woman_by_pseudonym
from models.errors import FetalHealthError, InputError, RangeError

TERM_DAYS = 280


def register(session: Session, request: PatientRequest, *, synthetic: bool = False) -> Woman:
    """Add a woman with one pregnancy and fetus A.

    Raises
    ------
    FetalHealthError
        The pseudonym is taken.
    """
    if woman_by_pseudonym(session, request.pseudonym) is not None:
        raise FetalHealthError(f"a patient {request.pseudonym!r} exists already")
    moment = now()
    woman = Woman(pseudonym=request.pseudonym, synthetic=synthetic, created_at=moment)
    pregnancy = Pregnancy(woman=woman, parity=request.parity, created_at=moment)
    _date(pregnancy, request.due_date, request.dating_method)
    pregnancy.fetuses.append(Fetus(label="A"))
    session.add(woman)
    session.flush()
    return woman


def fetus_of(session: Session, request: PatientRequest, label: str) -> Fetus:
    """The fetus of a known or new woman's latest pregnancy; a first due date is taken, another refused."""
    woman = woman_by_pseudonym(session, request.pseudonym) or register(session, request)
    pregnancy = woman.pregnancies[-1]
    if request.parity is not None and pregnancy.parity is None:
        pregnancy.parity = request.parity
    if request.due_date is not None and request.due_date != pregnancy.due_date:
        _date(pregnancy, request.due_date, request.dating_method)
    found = next((fetus for fetus in pregnancy.fetuses if fetus.label == label), None)
    if found is None:
        found = Fetus(pregnancy=pregnancy, label=label)
        session.add(found)
        session.flush()
    return found


def _date(pregnancy: Pregnancy, due_date: date | None, method: str | None) -> None:
    if due_date is None:
        return
    if pregnancy.due_date is not None:
        raise FetalHealthError(
            f"this pregnancy is dated (due {pregnancy.due_date}, by {pregnancy.dating_method}) and the date is locked"
        )
    if method is None:
        raise InputError("a due date needs the method that gave it (dating_method)")
    pregnancy.due_date, pregnancy.dating_method = due_date, method


def age_at(pregnancy: Pregnancy, moment: datetime, given: str | None) -> tuple[int | None, str]:
    """Gestational age at a moment, in days, and where it comes from.

    Raises
    ------
    InputError
        An age is given although the due date says it, and they differ.
    RangeError
        The due date puts this moment outside a pregnancy.
    """
    stated = parse_age(given) if given else None
    if pregnancy.due_date is None:
        return stated, "as given for this examination" if stated is not None else "not given"
    days = TERM_DAYS - (pregnancy.due_date - moment.date()).days
    if not 0 < days <= MAX_AGE_DAYS:
        when = pregnancy.due_date - timedelta(days=TERM_DAYS)
        raise RangeError(f"the examination of {moment.date()} lies outside this pregnancy (began about {when})")
    if stated is not None and stated != days:
        raise InputError(
            f"due date {pregnancy.due_date} makes this {days // 7}+{days % 7}, but {given} was given; leave it empty"
        )
    return days, f"due date {pregnancy.due_date} by {pregnancy.dating_method}"
