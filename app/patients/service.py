"""Registering women, and the gestational age at an examination."""

from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from app.orm import now
from app.patients.ages import MAX_AGE_DAYS, parse_age
from app.patients.names import check_new
from app.patients.schemas import PatientRequest
from app.patients.store import Fetus, Pregnancy, Woman, similar_to, woman_by_pseudonym
from models.errors import FetalHealthError, InputError, RangeError
from models.growth.dating import TERM_DAYS, by_crown_rump_length, by_last_menstrual_period


def register(session: Session, request: PatientRequest, *, synthetic: bool = False) -> Woman:
    """Add a woman with one pregnancy and fetus A; nothing is written yet.

    Raises
    ------
    FetalHealthError
        The pseudonym is taken, in whatever case and width.
    InputError
        The pseudonym cannot stand in an address.
    """
    there = woman_by_pseudonym(session, request.pseudonym)
    if there is not None:
        name = request.pseudonym
        also = "" if there.pseudonym == name else f", as {there.pseudonym!r}"
        raise FetalHealthError(f"a patient {name!r} exists already{also}")
    return _added(session, request, synthetic=synthetic)


def _added(session: Session, request: PatientRequest, *, synthetic: bool = False) -> Woman:
    check_new(request.pseudonym)
    moment = now()
    woman = Woman(pseudonym=request.pseudonym, synthetic=synthetic, created_at=moment)
    pregnancy = Pregnancy(woman=woman, parity=request.parity, created_at=moment)
    _date(pregnancy, request)
    pregnancy.fetuses.append(Fetus(label="A"))
    session.add(woman)
    return woman


class UnknownPatientError(FetalHealthError):
    """No woman has this pseudonym; some may have one that is easily taken for it.

    Attributes
    ----------
    similar : list of str
        Their pseudonyms.
    """

    def __init__(self, pseudonym: str, similar: list[str]) -> None:
        super().__init__(pseudonym, similar)
        self.pseudonym, self.similar = pseudonym, similar

    def __str__(self) -> str:
        """One line for the caller."""
        others = f"; similar: {', '.join(self.similar)}" if self.similar else ""
        return f"no patient {self.pseudonym!r} is registered{others}"


def check_known(session: Session, pseudonym: str, *, must_exist: bool = False) -> None:
    """Refuse an unknown pseudonym that is easily taken for a known one, or any unknown one where she must exist.

    Raises
    ------
    UnknownPatientError
        With the similar pseudonyms.
    """
    if woman_by_pseudonym(session, pseudonym) is None:
        similar = [woman.pseudonym for woman in similar_to(session, pseudonym)]
        if similar or must_exist:
            raise UnknownPatientError(pseudonym, similar)


def fetus_of(session: Session, request: PatientRequest, label: str) -> Fetus:
    """The fetus of a known or new woman's latest pregnancy.

    A first due date is stored; a different one is refused. Nothing is written yet.
    """
    woman = woman_by_pseudonym(session, request.pseudonym) or _added(session, request)
    pregnancy = woman.pregnancies[-1]
    # The fetus keeps her in memory with the version that was read before the pregnancy: read again, it would be newer.
    set_committed_value(pregnancy, "woman", woman)
    if request.parity is not None and pregnancy.parity is None:
        pregnancy.parity = request.parity
    _date(pregnancy, request)
    fetus = next((each for each in pregnancy.fetuses if each.label == label), None)
    if fetus is None:
        fetus = Fetus(pregnancy=pregnancy, label=label)
        session.add(fetus)
    else:
        set_committed_value(fetus, "pregnancy", pregnancy)
    return fetus


def due_date_of(request: PatientRequest) -> tuple[date, str] | None:
    """The due date and the method that gave it, or None where the request says neither.

    Raises
    ------
    InputError
        Two of due date, last menstrual period and crown-rump length are given, or a part of one is missing.
    RangeError
        A length or date that dates no pregnancy.
    """
    ways = (request.due_date, request.last_menstrual_period, request.crown_rump_length_mm)
    if sum(way is not None for way in ways) > 1:
        raise InputError("date the pregnancy by one of: due date, last menstrual period, crown-rump length")
    if request.due_date is not None:
        if request.dating_method is None:
            raise InputError("a due date needs the method that gave it (dating_method)")
        return request.due_date, request.dating_method
    if request.last_menstrual_period is not None:
        dating = by_last_menstrual_period(request.last_menstrual_period, now().date())
    elif request.crown_rump_length_mm is not None:
        if request.crown_rump_length_on is None:
            raise InputError("a crown-rump length needs the day of its scan (crown_rump_length_on)")
        dating = by_crown_rump_length(request.crown_rump_length_mm, request.crown_rump_length_on)
    else:
        return None
    return dating.due_date, dating.method


def _date(pregnancy: Pregnancy, request: PatientRequest) -> None:
    """Store a first due date; the same one again changes nothing, a different one is refused."""
    stated = due_date_of(request)
    if stated is None or stated[0] == pregnancy.due_date:
        return
    if pregnancy.due_date is not None:
        raise FetalHealthError(
            f"this pregnancy is dated (due {pregnancy.due_date}, by {pregnancy.dating_method}) and the date is locked"
        )
    pregnancy.due_date, pregnancy.dating_method = stated


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
