"""Lists and pages with many assessments stored: a thousand, a hundred thousand, a million.

``python -m benchmarks.lists --rows 1000 100000 1000000`` fills an installation, starts a server and prints the median
time of each page, ms. Results are those of a trace up to 100,000 rows, and smaller ones of typed measures beyond.
Each woman has two assessments, and each assessment four rows of audit.
"""

import argparse
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import numpy as np
from sqlalchemy import insert

from app.accounts.store import Role
from app.assessments.rows import figures_of, priority_of, row_of
from app.assessments.store import Assessment, Figures
from app.audit.store import AuditRow
from app.orm import now
from app.patients.names import likenesses, search_key, unique_key
from app.patients.store import Examination, Fetus, Pregnancy, Woman
from app.transactions import unit_of_work
from benchmarks.installation import Installation, installation
from benchmarks.postgresql import postgresql
from models.fusion.state import STATES
from models.synthetic.traces import as_csv, trace

PAGES = {
    "worklist": "/",
    "mine": "/?mine=true",
    "one state": "/?state=high",
    "search, narrow": "/?search=P-0000012",
    "search, wide": "/?search=P",
    "a day": "/?since=2025-06-01&until=2025-06-01",
    "patients": "/patients",
    "patients, search": "/patients?search=P-00001",
    "one woman": "/patients/P-0000123",
    "result": "/assessments/2012",
    "monitoring": "/monitoring",
    "audit": "/audit",
    "audit of a user": "/audit?name=user-3",
    "API, page 3": "/api/v1/assessments?limit=100",
}
CHUNK, SMALL = 2_000, 100_000
BEGAN = datetime(2025, 1, 1, tzinfo=UTC)


def template(place: Installation, rows: int) -> tuple[dict[str, Any], str]:
    """A real result, of a trace or, where there are many rows, the smaller one of a typed measure; and its bundle."""
    data = {"patient": "template", "scan_gestational_age": "36+0", "head_circumference_mm": "310"}
    files = {"ctg": ("t.csv", as_csv(trace(minutes=60, seed=1).recording))}
    with place.client("user-0") as client:
        answer = client.post("/api/v1/assessments", data=data, files=files if rows <= SMALL else {"image": ("", b"")})
        assert answer.status_code == 201, answer.text
        return answer.json()["result"], answer.json()["result"]["bundle"]


def fill(place: Installation, rows: int, result: dict[str, Any], bundle: str) -> None:
    """Store so many assessments with this result."""
    rng = np.random.default_rng(0)
    row, figures = row_of(result, 252), figures_of(result)
    first_woman = 1_000
    for start in range(0, rows // 2, CHUNK):
        numbers = range(start, min(start + CHUNK, rows // 2))
        women, pregnancies, fetuses, scans, assessments, audits = [], [], [], [], [], []
        for number in numbers:
            key = first_woman + number
            name = f"P-{number:07}"
            at = BEGAN + timedelta(seconds=number * 60)
            alike, joined = likenesses(name)
            forms = {"search_key": search_key(name), "unique_key": unique_key(name), "alike": alike}
            women.append({"id": key, "pseudonym": name, **forms, "alike_joined": joined, "synthetic": False})
            women[-1] |= {"version": 0, "created_at": at}
            pregnancies.append({"id": key, "woman_id": key, "created_at": at})
            fetuses.append({"id": key, "pregnancy_id": key, "label": "A"})
            scan = {"id": key, "fetus_id": key, "kind": "scan", "performed_at": at, "gestational_age_days": 252}
            scans.append(scan | {"age_source": "typed", "parameters": {"abdominal_circumference_mm": 310.0}})
            for visit in (0, 1):
                state = STATES[int(rng.integers(0, 5))]
                score = float(rng.uniform(0, 100)) if state != "cannot assess" else None
                assessments.append(
                    {
                        "id": 2 * key + visit,
                        "fetus_id": key,
                        "scan_id": key,
                        "bundle": bundle,
                        "site": "this-unit",
                        "code_version": "1",
                        "input_hashes": {},
                        "state": state,
                        "score": score,
                        "standing": int(rng.choice((2, 1, 0), p=(0.1, 0.8, 0.1))),
                        "priority": priority_of(state, score),
                        "row": row,
                        "result": result,
                        "created_at": at + timedelta(hours=visit),
                        "created_by": f"user-{int(rng.integers(0, 20))}",
                    }
                )
                audits += [
                    {"at": at, "user_name": f"user-{k}", "action": "assessment.read"}
                    | {"subject": name, "detail": {"assessment": key}}
                    for k in rng.integers(0, 20, 4).tolist()
                ]
        with unit_of_work(place.sessions) as session:
            for table, values in (
                (Woman, women),
                (Pregnancy, pregnancies),
                (Fetus, fetuses),
                (Examination, scans),
                (Assessment, assessments),
                (Figures, [{"assessment_id": row["id"], "values": figures} for row in assessments]),
                (AuditRow, audits),
            ):
                session.execute(insert(table), values)


def measure(database_url: str | None, sizes: list[int], repeats: int = 5) -> dict[int, dict[str, float]]:
    """Median time of every page, ms, by number of assessments."""
    table: dict[int, dict[str, float]] = {}
    stored = 0
    for size in sizes:
        with installation(database_url) as place:
            for number in range(3):
                if database_url is None or stored == 0:
                    place.user(f"user-{number}", Role.ADMINISTRATOR)
            place.serve()
            result, bundle = template(place, size)
            begun = time.perf_counter()
            fill(place, size, result, bundle)
            kilobytes = len(json.dumps(result)) / 1000
            print(f"{size} assessments of {kilobytes:.0f} kB stored in {time.perf_counter() - begun:.0f} s", flush=True)
            place.servers[0].terminate()  # pages are measured after a restart
            place.servers[0].wait(30)
            place.serve()
            table[size] = _times(place, repeats)
        stored = size
    return table


def _times(place: Installation, repeats: int) -> dict[str, float]:
    times = {}
    with place.client("user-0") as client:
        client.get("/account", headers={"Accept": "text/html"})
        for name, address in PAGES.items():
            if name == "API, page 3":
                for _ in (1, 2):
                    address = client.get(address).json()["next"] or address
            seconds = []
            for _ in range(repeats):
                begun = time.perf_counter()
                answer: httpx.Response = client.get(address, headers={"Accept": "text/html"})
                seconds.append(time.perf_counter() - begun)
                assert answer.status_code == 200, (address, answer.text[:300])
            times[name] = 1000 * float(np.median(seconds))
    return times


def show(name: str, table: dict[int, dict[str, float]]) -> None:
    """Print a table."""
    print(f"\n{name + ', ms':20s}" + "".join(f"{size:>12,}" for size in table))
    for page in PAGES:
        print(f"{page:20s}" + "".join(f"{times[page]:12.1f}" for times in table.values()))


def main() -> None:
    """Run on SQLite, and on PostgreSQL where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 100_000])
    parser.add_argument("--postgresql", action="store_true", help="on PostgreSQL instead of SQLite")
    options = parser.parse_args()
    print(f"as of {now():%Y-%m-%d}")
    if not options.postgresql:
        show("SQLite", measure(None, options.rows))
        return
    table = {}
    for size in options.rows:
        with postgresql() as server:
            table |= measure(server.address, [size])
    show("PostgreSQL", table)


if __name__ == "__main__":
    main()
