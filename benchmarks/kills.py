"""The server is killed (SIGKILL) again and again, and PostgreSQL crashes, while clients upload: nothing is lost.

``python -m benchmarks.kills --uploads 1000`` prints for both engines what was acknowledged, what is stored, what is
stored twice or in half, and whether every repeat of a key gives the same answer.
"""

import argparse
import os
import queue
import random
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256

import httpx
from sqlalchemy import func, select

from app.assessments.store import Assessment, Figures
from app.audit.store import AuditRow
from app.patients.store import Examination, Fetus, StoredFile, Woman
from benchmarks.installation import Installation, installation
from benchmarks.material import head, hour
from benchmarks.postgresql import Server, postgresql

CLIENTS = 4


@dataclass
class Outcome:
    """What happened to the uploads.

    Attributes
    ----------
    acknowledged : dict of int to int
        Number of the assessment by upload.
    broken : int
        Requests without an answer.
    refused : list of str
        Answers that are neither 201 nor a 503 that asks to come back.
    """

    acknowledged: dict[int, int] = field(default_factory=dict)
    broken: int = 0
    refused: list[str] = field(default_factory=list)


def upload(place: Installation, number: int) -> httpx.Response:
    """One upload of a trace, every second one with an image, with a key of its own."""
    files = [("ctg", ("t.csv", hour(number)))]
    data = {"patient": f"K-{number % 50}", "ctg_stage": "labour"}
    if number % 2:
        files.append(("image", ("h.png", head(number))))
        data |= {"pixel_size_mm": "0.2", "scan_gestational_age": "38+0"}
    with place.client("user-0") as client:
        return client.post("/api/v1/assessments", data=data, files=files, headers={"Idempotency-Key": f"key-{number}"})


def _client(place: Installation, waiting: "queue.Queue[int]", outcome: Outcome) -> None:
    while True:
        try:
            number = waiting.get_nowait()
        except queue.Empty:
            return
        while True:  # as a gateway does: the same request with the same key until it is answered
            try:
                answer = upload(place, number)
            except httpx.HTTPError:
                outcome.broken += 1
                time.sleep(0.2)
                continue
            if answer.status_code == 201:
                outcome.acknowledged[number] = answer.json()["id"]
                break
            if answer.status_code != 503 or "retry-after" not in answer.headers:
                outcome.refused.append(f"{answer.status_code} {answer.text[:200]}")
            time.sleep(0.2)


def run(place: Installation, uploads: int, kills: int, database: Server | None = None) -> Outcome:
    """Upload while the server, and the database where it is one, is killed."""
    place.user("user-0")
    place.serve()
    waiting: queue.Queue[int] = queue.Queue()
    for number in range(uploads):
        waiting.put(number)
    outcome = Outcome()
    clients = [threading.Thread(target=_client, args=[place, waiting, outcome]) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    chance = random.Random(0)
    for kill in range(kills):
        target = uploads * (kill + 1) // (kills + 1)
        while len(outcome.acknowledged) < target:
            time.sleep(0.05)
        time.sleep(chance.uniform(0, 0.3))
        if database is not None and kill % 2:
            database.crash()
            database.start()
        else:
            os.kill(place.servers[-1].pid, signal.SIGKILL)
            place.servers[-1].wait()
            place.serve()
    for client in clients:
        client.join()
    return outcome


def wrong(place: Installation, outcome: Outcome, uploads: int) -> list[str]:
    """What is lost, doubled or half-written."""
    found = list(outcome.refused)
    with place.sessions() as session:
        stored = set(session.scalars(select(Assessment.id)))
        told = set(outcome.acknowledged.values())
        found += [f"upload {number} was not acknowledged" for number in set(range(uploads)) - set(outcome.acknowledged)]
        found += [f"assessment {number} was acknowledged and is lost" for number in told - stored]
        found += [f"assessment {number} is stored twice" for number in stored - told]
        if len(told) != len(outcome.acknowledged):
            found.append("two uploads have one assessment")
        examined = set(session.scalars(select(Assessment.ctg_id))) | set(session.scalars(select(Assessment.scan_id)))
        loose = set(session.scalars(select(Examination.id))) - examined
        found += [f"examination {number} belongs to no assessment" for number in loose]
        for file in session.scalars(select(StoredFile)):
            if sha256(file.content).hexdigest() != file.sha256:
                found.append(f"file {file.id} differs from its hash")
        audited = session.scalar(select(func.count()).where(AuditRow.action == "assessment.create"))
        counted = session.scalar(select(func.count()).select_from(Figures))
        women = session.scalar(select(func.count()).select_from(Woman))
        fetuses = session.scalar(select(func.count()).select_from(Fetus))
        if not (audited == counted == len(stored)) or women != fetuses:
            found.append(f"{len(stored)} assessments, {audited} in the audit, {counted} counted")
    for number in list(outcome.acknowledged)[:: max(uploads // 40, 1)]:
        again = upload(place, number)
        if again.status_code != 201 or again.json()["id"] != outcome.acknowledged[number]:
            found.append(f"the repeat of key {number} gave {again.status_code}")
    return found


def main() -> None:
    """Run on both engines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uploads", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=20)
    options = parser.parse_args()
    hour(0), head(0)
    for name in ("SQLite", "PostgreSQL"):
        with suppress(FileNotFoundError):
            if name == "SQLite":
                with installation() as place:
                    _show(name, place, options.uploads, options.kills, None)
            else:
                with postgresql() as server, installation(server.address) as place:
                    _show(name, place, options.uploads, options.kills, server)


def _show(name: str, place: Installation, uploads: int, kills: int, database: Server | None) -> None:
    outcome = run(place, uploads, kills, database)
    found = wrong(place, outcome, uploads)
    print(
        f"{name}: {uploads} uploads, {kills} kills, {outcome.broken} broken connections, {len(found)} wrong {found[:3]}"
    )


if __name__ == "__main__":
    main()
