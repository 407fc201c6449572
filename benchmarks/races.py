"""Two people act on one record, or two operators on one installation, in the same moment.

``python -m benchmarks.races --trials 50`` lets every pair of actions meet on SQLite and on PostgreSQL and prints how
often both, one or none was accepted, and how often the record contradicts an answer (the goal is never).
"""

import argparse
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import combinations_with_replacement, pairwise
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import select

from app.accounts.store import Role
from app.assessments.store import Assessment
from app.bundles.service import BundleRegistry
from app.bundles.store import Deployment
from app.patients.store import Woman
from app.transactions import unit_of_work
from benchmarks.installation import Installation, installation
from benchmarks.postgresql import postgresql
from models.bundle import Bundle, save, shipped

SCAN = {"head_circumference_mm": 262, "gestational_age": "28+3"}
DUE = (date.today() + timedelta(days=80), date.today() + timedelta(days=81))
Act = Callable[[httpx.Client, "Case", int], httpx.Response]


@dataclass
class Case:
    """What one trial works on.

    Attributes
    ----------
    pseudonym : str
    number : int
        Of her assessment; 0 where she has none.
    answers : list of (action, user, response)
    """

    pseudonym: str
    number: int = 0
    answers: list[tuple[str, int, httpx.Response]] = field(default_factory=list)

    def accepted(self, action: str) -> list[tuple[int, httpx.Response]]:
        """Users and answers of this action that were accepted."""
        return [(user, answer) for name, user, answer in self.answers if name == action and answer.status_code < 400]


def _page(client: httpx.Client, case: Case, action: str, **data: Any) -> httpx.Response:
    return client.post(f"/assessments/{case.number}/{action}", data=data, headers={"Accept": "text/html"})


def _sign(client: httpx.Client, case: Case, user: int) -> httpx.Response:
    return _page(client, case, "sign")


def _review(client: httpx.Client, case: Case, user: int) -> httpx.Response:
    return _page(client, case, "review", verdict="agree", text=f"user {user}")


def _correct(client: httpx.Client, case: Case, user: int) -> httpx.Response:
    return _page(client, case, "head-circumference", head_circumference_mm=str(264 + user), reason=f"user {user}")


def _redate(client: httpx.Client, case: Case, user: int) -> httpx.Response:
    at = datetime.now(UTC) - timedelta(hours=1 + user)
    body = {"kind": "scan", "performed_at": at.isoformat(), "reason": f"user {user}"}
    return client.post(f"/api/v1/assessments/{case.number}/time", json=body)


def _withdraw(client: httpx.Client, case: Case, user: int) -> httpx.Response:
    return _page(client, case, "entered-in-error", reason=f"user {user}")


def _date(client: httpx.Client, case: Case, user: int) -> httpx.Response:
    patient = {"pseudonym": case.pseudonym, "due_date": DUE[user].isoformat(), "dating_method": "other"}
    return client.post("/api/v1/assessments", json={"patient": patient, "scan": {"head_circumference_mm": 262}})


def _fetus(client: httpx.Client, case: Case, user: int) -> httpx.Response:
    body = {"patient": {"pseudonym": case.pseudonym}, "fetus": "B", "scan": {"head_circumference_mm": 262}}
    return client.post("/api/v1/assessments", json=body)


def _register(client: httpx.Client, case: Case, user: int) -> httpx.Response:
    return client.post("/api/v1/patients", json={"pseudonym": f"{case.pseudonym}-new"})


def _first(client: httpx.Client, case: Case, user: int) -> httpx.Response:
    return client.post("/api/v1/assessments", json={"patient": {"pseudonym": f"{case.pseudonym}-new"}, "scan": SCAN})


def _same_key(client: httpx.Client, case: Case, user: int) -> httpx.Response:
    body = {"patient": {"pseudonym": f"{case.pseudonym}-key"}, "scan": SCAN}
    return client.post("/api/v1/assessments", json=body, headers={"Idempotency-Key": case.pseudonym})


ACTIONS: dict[str, Act] = {
    "sign": _sign,
    "review": _review,
    "correct": _correct,
    "correct time": _redate,
    "withdraw": _withdraw,
    "first due date": _date,
    "first fetus B": _fetus,
    "register": _register,
    "first assessment": _first,
}


def contradictions(place: Installation, case: Case) -> list[str]:
    """Where the stored record contradicts an answer, or itself."""
    found = [
        f"{action}: {answer.status_code} {answer.text[:120]}"
        for action, _, answer in case.answers
        if answer.status_code >= 500
    ]
    with place.sessions() as session:
        assessment = session.get_one(Assessment, case.number)
        later = list(session.scalars(select(Assessment).where(Assessment.supersedes_id == case.number)))
        replaced = [*case.accepted("correct"), *case.accepted("correct time")]
        signed = case.accepted("sign")
        if len(later) > 1:
            found.append(f"{len(later)} successors")
        if len(replaced) != len(later):
            found.append(f"{len(replaced)} corrections accepted, {len(later)} stored")
        if len(signed) != (assessment.signed_by is not None):
            found.append(f"{len(signed)} signatures accepted, stored: {assessment.signed_by}")
        withdrawn = case.accepted("withdraw")
        if len(withdrawn) != (assessment.withdrawn_at is not None):
            found.append(f"{len(withdrawn)} withdrawals accepted, stored: {assessment.withdrawn_by}")
        if assessment.withdrawn_at and later:
            found.append("entered in error and replaced")
        if assessment.withdrawn_at and assessment.signed_at and assessment.signed_at > assessment.withdrawn_at:
            found.append("signed after it was entered in error")
        if assessment.signed_by and later:
            found.append("signed and replaced")
        if signed and assessment.signed_by != f"user-{signed[0][0]}":
            found.append("signed by another than was told")
        told = sorted(f"user {user}" for user, _ in case.accepted("review"))
        if told != sorted(review.text for review in assessment.reviews if review.text):
            found.append("reviews accepted and stored differ")
        if assessment.signed_at and any(review.at > assessment.signed_at for review in assessment.reviews):
            found.append("reviewed after the signature")
        pregnancy = assessment.fetus.pregnancy
        dated = case.accepted("first due date")
        if any(DUE[user] != pregnancy.due_date for user, _ in dated):
            found.append("a due date was accepted and is not stored")
        if [fetus.label for fetus in pregnancy.fetuses] not in (["A"], ["A", "B"]):
            found.append("doubled fetus")
        if len(case.accepted("first fetus B")) != sum(action == "first fetus B" for action, _, _ in case.answers):
            found.append("an assessment of fetus B was refused")
        women = list(session.scalars(select(Woman).where(Woman.pseudonym == f"{case.pseudonym}-new")))
        created = len(case.accepted("register")) + len(case.accepted("first assessment"))
        if len(women) != min(created, 1):
            found.append(f"{len(women)} women of one pseudonym")
        if len(case.accepted("first assessment")) != sum(action == "first assessment" for action, _, _ in case.answers):
            found += [
                f"refused: {answer.text[:200]}" for action, _, answer in case.answers if answer.status_code >= 400
            ]
        if len(case.accepted("register")) > 1:
            found.append("registered twice")
    return found


def together(clients: list[httpx.Client], case: Case, actions: tuple[str, str]) -> None:
    """Two users act at once."""
    barrier = threading.Barrier(2)

    def act(user: int) -> None:
        barrier.wait()
        with suppress(threading.BrokenBarrierError):
            case.answers.append((actions[user], user, (ACTIONS | OPERATORS)[actions[user]](clients[user], case, user)))

    threads = [threading.Thread(target=act, args=[user]) for user in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@contextmanager
def _clients(place: Installation, name: str, count: int = 2) -> Iterator[list[httpx.Client]]:
    with ExitStack() as stack:
        yield [stack.enter_context(closing(place.person(f"{name}-{number}"))) for number in range(count)]


def record_races(place: Installation, trials: int) -> dict[tuple[str, str], tuple[Counter[int], list[str]]]:
    """For every pair of actions on a record: how many of two were accepted, by count, and the contradictions."""
    table = {}
    with _clients(place, "user") as clients:
        for first, second in combinations_with_replacement(ACTIONS, 2):
            accepted: Counter[int] = Counter()
            wrong: list[str] = []
            for trial in range(trials):
                case = Case(f"R-{list(ACTIONS).index(first)}-{list(ACTIONS).index(second)}-{trial}")
                undated = {"head_circumference_mm": 262}
                scan = undated if "first due date" in (first, second) else SCAN
                made = clients[0].post(
                    "/api/v1/assessments", json={"patient": {"pseudonym": case.pseudonym}, "scan": scan}
                )
                case.number = made.json()["id"]
                _page(clients[0], case, "review", verdict="agree")  # signing needs one
                together(clients, case, (first, second))
                accepted[sum(answer.status_code < 400 for _, _, answer in case.answers)] += 1
                wrong += contradictions(place, case)
            table[first, second] = accepted, wrong
    return table


def key_races(place: Installation, trials: int, repeats: int = 6) -> tuple[Counter[int], list[str]]:
    """One request sent several times at once with one key: every answer is the same, and one assessment is stored."""
    outcomes: Counter[int] = Counter()
    wrong: list[str] = []
    with _clients(place, "user", 1) as (client,):
        for trial in range(trials):
            case = Case(f"K-{trial}")
            barrier = threading.Barrier(repeats)

            def act(case: Case = case, barrier: threading.Barrier = barrier) -> None:
                barrier.wait()
                case.answers.append(("key", 0, _same_key(client, case, 0)))

            threads = [threading.Thread(target=act) for _ in range(repeats)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            numbers = {answer.json().get("id") for _, _, answer in case.answers}
            outcomes[len(case.accepted("key"))] += 1
            if len(numbers) != 1 or len(case.accepted("key")) != repeats:
                wrong.append(f"{sorted(answer.status_code for _, _, answer in case.answers)}: {len(numbers)} answers")
    return outcomes, wrong


def _promote(client: httpx.Client, case: Case, user: int) -> httpx.Response:
    return client.post(f"/api/v1/bundles/{case.pseudonym}/promote", json={"reason": f"user {user}"})


def _roll_back(client: httpx.Client, case: Case, user: int) -> httpx.Response:
    return client.post("/api/v1/bundles/roll-back", json={"reason": f"user {user}"})


OPERATORS: dict[str, Act] = {"promote": _promote, "roll back": _roll_back}


def operator_races(place: Installation, trials: int) -> dict[tuple[str, str], tuple[Counter[int], list[str]]]:
    """Promotions and rollbacks at once: every accepted one is stored, and no bundle follows itself."""
    identifiers = _two_bundles(place)
    table = {}
    with _clients(place, "operator") as clients:
        for first, second in combinations_with_replacement(OPERATORS, 2):
            accepted: Counter[int] = Counter()
            wrong: list[str] = []
            for _ in range(trials):
                with place.sessions() as session:
                    before = [row.bundle_id for row in session.scalars(select(Deployment).order_by(Deployment.id))]
                case = Case(next(name for name in identifiers if name != before[-1]))
                together(clients, case, (first, second))
                wrong += [f"{answer.status_code}" for _, _, answer in case.answers if answer.status_code >= 500]
                good = sum(answer.status_code < 400 for _, _, answer in case.answers)
                accepted[good] += 1
                with place.sessions() as session:
                    after = [row.bundle_id for row in session.scalars(select(Deployment).order_by(Deployment.id))]
                if len(after) - len(before) != good:
                    wrong.append(f"{good} accepted, {len(after) - len(before)} stored")
                if any(one == other for one, other in pairwise(after)):
                    wrong.append("a bundle was put in service twice in a row")
            table[first, second] = accepted, wrong
    return table


def _two_bundles(place: Installation) -> list[str]:
    """The shipped bundle and one that differs in its name, both served once."""
    source = Bundle(shipped())
    contents = {name: (shipped() / name).read_bytes() for name in source.present_files}
    manifest = {k: v for k, v in source.manifest.items() if k not in {"format", "files"}}
    registry = BundleRegistry(place.home, place.sessions)
    with tempfile.TemporaryDirectory() as scratch:
        other = save(Path(scratch) / "other", contents, manifest | {"name": "other"})
        with unit_of_work(place.sessions) as session:
            registry.ensure_shipped(session)
            registry.register(session, other.folder, gate="passed")
    with unit_of_work(place.sessions) as session:
        registry.promote(session, other.identifier, "benchmark", "to have two")
    return [source.identifier, other.identifier]


def measure(database_url: str | None, trials: int) -> dict[str, tuple[Counter[int], list[str]]]:
    """All races on one engine."""
    with installation(database_url) as place:
        for user in (0, 1):
            place.user(f"user-{user}")
            place.user(f"operator-{user}", Role.OPERATOR)
        place.serve()
        pairs = record_races(place, trials) | operator_races(place, trials)
        table = {f"{first} / {second}": outcome for (first, second), outcome in pairs.items()}
        return table | {"one key, 6 times": key_races(place, trials)}


def show(name: str, table: dict[str, tuple[Counter[int], list[str]]]) -> int:
    """Print a table; returns the number of contradictions."""
    print(f"\n{name:36s}  accepted of two: 0    1    2   contradictions")
    for pair, (accepted, wrong) in table.items():
        counts = "".join(f"{accepted[k]:5d}" for k in (0, 1, 2)) if "key" not in pair else f"{accepted[6]:10d} all"
        print(f"{pair:36s}{'':15s}{counts}{len(wrong):12d}  {'; '.join(sorted(set(wrong))[:2])}")
    return sum(len(wrong) for _, wrong in table.values())


def main() -> None:
    """Run on both engines where PostgreSQL is installed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=50)
    options = parser.parse_args()
    total = show("SQLite", measure(None, options.trials))
    if shutil.which("runuser"):
        with postgresql() as server:
            total += show("PostgreSQL", measure(server.address, options.trials))
    print(f"\n{total} contradictions")


if __name__ == "__main__":
    main()
