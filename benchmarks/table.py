"""One table of what many users at once cost and what kills leave behind, on SQLite and on PostgreSQL.

``python -m benchmarks.table`` runs `load`, `lists`, `kills`, `races` and the idle memory on both engines, and prints
each figure beside its goal. The whole takes an hour on two cores; ``--quick`` takes ten minutes with smaller numbers.
The comparison with other servers is `serving`, and the image is `image`: they need more than this environment.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks import kills, lists, load, races
from benchmarks.installation import installation
from benchmarks.material import head, hour
from benchmarks.memory import children, pss_mb
from benchmarks.postgresql import binaries, postgresql


@dataclass(frozen=True)
class Scale:
    """How much is run.

    Attributes
    ----------
    seconds : float
        Of load by fifty clinicians.
    rows : list of int
        Assessments stored.
    uploads, kills, trials : int
    """

    seconds: float
    rows: list[int]
    uploads: int
    kills: int
    trials: int


WHOLE = Scale(180, [1_000, 100_000, 1_000_000], 1_000, 20, 50)
QUICK = Scale(90, [1_000, 20_000], 60, 4, 5)
# Pages that are one record; all others of `lists` are lists.
RECORDS = ("result", "one woman")


@dataclass(frozen=True)
class Figure:
    """One measured figure.

    Attributes
    ----------
    what : str
    value : float
    most : float
        The goal.
    unit : str
    """

    what: str
    value: float
    most: float
    unit: str = ""


def of_load(address: str | None, scale: Scale) -> list[Figure]:
    """Fifty clinicians, a step every five seconds."""
    with installation(address) as place:
        load.prepare(place, 50)
        seen = load.load(place, 50, scale.seconds)
    first = [mb for at, mb in seen.memory if 20 <= at < 80]
    last = [mb for at, mb in seen.memory if at >= scale.seconds - 60]
    pages, assessments = (1000 * float(np.percentile(seen.seconds[kind], 95)) for kind in ("page", "assessment"))
    return [
        Figure("50 clinicians: errors", len(seen.errors), 0),
        Figure("50 clinicians: pages, p95", pages, 300, "ms"),
        Figure("50 clinicians: assessments, p95", assessments, 3000, "ms"),
        Figure("50 clinicians: memory, last minute / first", float(np.mean(last) / np.mean(first)), 1.10),
    ]


def of_lists(address: str | None, scale: Scale) -> list[Figure]:
    """Lists and records with many assessments stored."""
    figures = []
    for size, times in lists.measure(address, scale.rows[-1:]).items():
        slowest = max((page for page in times if page not in RECORDS), key=lambda page: times[page])
        figures += [
            Figure(f"{size:,} assessments: slowest list ({slowest})", times[slowest], 80, "ms"),
            Figure(f"{size:,} assessments: a stored one", times["result"], 40, "ms"),
        ]
    return figures


def of_kills(address: str | None, scale: Scale) -> list[Figure]:
    """Uploads while the server is killed."""
    with installation(address) as place:
        outcome = kills.run(place, scale.uploads, scale.kills)
        wrong = kills.wrong(place, outcome, scale.uploads)
    return [Figure(f"{scale.kills} kills, {scale.uploads:,} uploads: lost, half, doubled", len(wrong), 0)]


def of_races(address: str | None, scale: Scale) -> list[Figure]:
    """Every pair of actions at once."""
    pairs = races.measure(address, scale.trials)
    wrong = sum(len(wrong) for _, wrong in pairs.values())
    return [Figure(f"{len(pairs)} races, {scale.trials} trials each: contradictions", wrong, 0)]


def of_memory(address: str | None, scale: Scale) -> list[Figure]:
    """An idle server after some assessments."""
    with installation(address) as place:
        place.user("user-0")
        server = place.serve()
        with place.client("user-0") as client:
            for number in range(6):
                files = [("ctg", ("t.csv", hour(number))), ("image", ("h.png", head(number)))]
                data = {"patient": f"M-{number}", "pixel_size_mm": "0.2", "scan_gestational_age": "38+0"}
                assert client.post("/api/v1/assessments", data=data, files=files).status_code == 201
        time.sleep(5)
        web, workers = pss_mb(server.pid), [pss_mb(each) for each in children(server.pid)]
    return [
        Figure("idle: web process (PSS)", web, 250, "MB"),
        Figure("idle: largest worker (PSS)", max(workers), 250, "MB"),
    ]


PARTS: tuple[Callable[[str | None, Scale], list[Figure]], ...] = (of_load, of_memory, of_races, of_kills, of_lists)


def main() -> int:
    """Print the table; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller numbers")
    scale = QUICK if parser.parse_args().quick else WHOLE
    missed = 0
    for engine in ("SQLite", *(["PostgreSQL"] if binaries() else [])):
        print(f"\n{engine}", flush=True)
        for part in PARTS:
            if engine == "SQLite":
                figures = part(None, scale)
            else:
                with postgresql() as server:
                    figures = part(server.address, scale)
            for figure in figures:
                met = figure.value <= figure.most
                missed += not met
                value, most = (f"{number:,.2f}".rstrip("0").rstrip(".") for number in (figure.value, figure.most))
                print(
                    f"  {figure.what:58s}{value:>10s} <= {most} {figure.unit} {'' if met else '  MISSED'}", flush=True
                )
    print(f"\n{missed} goals missed")
    return min(missed, 1)


if __name__ == "__main__":
    raise SystemExit(main())
