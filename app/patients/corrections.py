"""Mistakes about women, undone: two records merged and split again, a pseudonym corrected."""

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.assessments.store import Assessment
from app.monitoring.store import Outcome, born
from app.patients.names import check_new
from app.patients.store import Examination, Fetus, Pregnancy, Woman, hold, hold_all, woman_by_pseudonym
from models.errors import FetalHealthError, InputError

BY_FETUS: dict[str, Any] = {"assessment": Assessment, "examination": Examination, "outcome": Outcome}


def stated(reason: str) -> str:
    """The reason of a correction.

    Raises
    ------
    InputError
        There is none.
    """
    if not reason.strip():
        raise InputError("give a reason; it is kept in the audit")
    return reason.strip()[:400]


def correct_pseudonym(session: Session, woman: Woman, pseudonym: str) -> str:
    """Give a woman the pseudonym that she should have; returns the earlier one.

    Raises
    ------
    InputError
        The new one cannot stand in an address, or is the present one.
    FetalHealthError
        Another woman has it.
    """
    pseudonym = pseudonym.strip()
    check_new(pseudonym)
    hold(session, woman)
    earlier = woman.pseudonym
    if pseudonym == earlier:
        raise InputError(f"{pseudonym} is her pseudonym already")
    other = woman_by_pseudonym(session, pseudonym)
    if other is not None and other.id != woman.id:
        raise FetalHealthError(f"{other.pseudonym} is another woman's pseudonym; merge the two if they are one woman")
    woman.rename(pseudonym)
    try:
        session.flush()
    except IntegrityError:  # the name leads to her from a merged record, or was taken in this moment
        raise FetalHealthError(f"{pseudonym} is taken, perhaps by a record that was merged into hers") from None
    return earlier


def merge(session: Session, woman: Woman, into: Woman) -> dict[str, Any]:
    """Put everything of `woman` under `into`, where both are one person; her name leads there from then on.

    Stored results stay as they are. What a birth or a due date says of one counts for both.

    Returns
    -------
    dict
        The numbers of what went over, by kind.

    Raises
    ------
    InputError
        Both are the same record.
    FetalHealthError
        One was merged already, one is synthetic, or their due dates or births differ. Nothing is changed then.
    """
    hold_all(session, woman, into)
    if woman.id == into.id:
        raise InputError("these are one record already: a woman cannot be merged with herself")
    if woman.merged_into_id is not None or into.merged_into_id is not None:
        raise FetalHealthError("one of the two was merged already; look at the list again")
    if woman.synthetic != into.synthetic:
        raise FetalHealthError("a synthetic patient cannot be merged with a real one")
    source, target = woman.pregnancies[-1], into.pregnancies[-1]
    if None not in (source.due_date, target.due_date) and source.due_date != target.due_date:
        raise FetalHealthError(
            f"the due dates differ ({woman.pseudonym}: {source.due_date}, {into.pseudonym}: {target.due_date}): "
            "these are two pregnancies, or one date is wrong"
        )
    pairs = _fetuses(session, source, target)
    moved: dict[str, Any] = {
        kind: [[row, fetus.id] for fetus, other in pairs for row in _put(session, table, fetus, other)]
        for kind, table in BY_FETUS.items()
    }
    moved["dated"] = _complete(target, source)
    woman.merged, woman.merged_into_id = moved, into.id
    earlier = update(Woman).where(Woman.merged_into_id == woman.id).values(merged_into_id=into.id)
    session.execute(earlier, execution_options={"synchronize_session": False})
    session.flush()
    return {f"{kind}s": [row for row, _ in moved[kind]] for kind in BY_FETUS}


def split(session: Session, woman: Woman) -> dict[str, Any]:
    """Undo a merge: what came from `woman` goes back to her, and what came later stays.

    Returns
    -------
    dict
        The numbers of what went back, by kind.

    Raises
    ------
    FetalHealthError
        She is not merged.
    """
    into = woman.merged_into
    if into is None:
        raise FetalHealthError(f"{woman.pseudonym} is not merged with another record")
    hold_all(session, woman, into)
    moved = woman.merged or {}
    for kind, table in BY_FETUS.items():
        for row, fetus in moved.get(kind, []):
            session.execute(
                update(table).where(table.id == row).values(fetus_id=fetus),
                execution_options={"synchronize_session": False},
            )
    if moved.get("dated"):
        into.pregnancies[-1].due_date = into.pregnancies[-1].dating_method = None
    woman.merged = woman.merged_into_id = None
    session.flush()
    session.expire_all()
    return {f"{kind}s": [row for row, _ in moved.get(kind, [])] for kind in BY_FETUS}


def _fetuses(session: Session, source: Pregnancy, target: Pregnancy) -> list[tuple[Fetus, Fetus]]:
    """Each fetus of the source with the one of the same label."""
    there = {fetus.label: fetus for fetus in target.fetuses}
    pairs = []
    for fetus in source.fetuses:
        other = there.get(fetus.label) or Fetus(pregnancy=target, label=fetus.label)
        session.add(other)
        pairs.append((fetus, other))
    session.flush()
    for fetus, other in pairs:
        births = {born(session, fetus), born(session, other)} - {None}
        if len(births) > 1:
            raise FetalHealthError(f"fetus {fetus.label} has another birth in each record: correct one of them first")
    return pairs


def _put(session: Session, table: Any, fetus: Fetus, other: Fetus) -> list[int]:
    rows = list(session.scalars(select(table.id).where(table.fetus_id == fetus.id)))
    if rows:
        session.execute(
            update(table).where(table.fetus_id == fetus.id).values(fetus_id=other.id),
            execution_options={"synchronize_session": False},
        )
    return rows


def _complete(target: Pregnancy, source: Pregnancy) -> bool:
    """Take over what only the source says; True where that is the due date."""
    if target.parity is None:
        target.parity = source.parity
    if target.due_date is not None or source.due_date is None:
        return False
    target.due_date, target.dating_method = source.due_date, source.dating_method
    return True
