"""Entering the outcome of a birth."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.accounts.guards import User
from app.assessments.store import current_examinations
from app.monitoring.store import Outcome
from app.orm import now
from app.patients.ages import MAX_AGE_DAYS
from app.patients.store import Fetus
from models.errors import InputError, RangeError
from models.growth.dating import TERM_DAYS

PH = (6.5, 7.7)


def enter(session: Session, fetus: Fetus, ph: float, born_at: datetime, user: User) -> Outcome:
    """Store an umbilical artery pH and the moment of birth; a correction is a new entry, and both stay.

    Raises
    ------
    RangeError
        The pH or the moment of birth is impossible.
    InputError
        An examination of this fetus lies after that moment.
    """
    if not PH[0] <= ph <= PH[1]:
        raise RangeError(f"umbilical artery pH {ph:g} is outside {PH[0]} to {PH[1]}")
    if born_at > now() + timedelta(minutes=5):
        raise RangeError(f"the birth ({born_at:%Y-%m-%d %H:%M} UTC) lies in the future")
    due = fetus.pregnancy.due_date
    if due is not None:
        days = TERM_DAYS - (due - born_at.date()).days
        if not 0 < days <= MAX_AGE_DAYS:
            raise RangeError(f"the birth of {born_at.date()} lies outside this pregnancy (due {due})")
    later = next((each for each in current_examinations(session, fetus) if each.performed_at > born_at), None)
    if later is not None:
        raise InputError(
            f"a {later.kind} of {later.performed_at:%Y-%m-%d %H:%M} UTC lies after that birth; correct its time on its "
            "result page if it is wrong"
        )
    row = Outcome(fetus_id=fetus.id, ph=ph, born_at=born_at, at=now(), by=user.name)
    session.add(row)
    session.flush()
    return row
