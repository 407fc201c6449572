"""Making an assessment and opening its page, through the application, in this process.

``python -m benchmarks.assessment`` prints the times of this tree. With the folder of another checkout it runs both in
turn, a round each, so that the load of the machine falls on both, and prints the ratios:
``python -m benchmarks.assessment --beside ../other-checkout``.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
ROUNDS = 24
STEPS = ("check, then assess", "result page and trace", "typed head")
PASSWORD = "benchmark password"  # noqa: S105 - of a database that lives as long as the run


def seconds_of_rounds() -> Iterator[dict[str, float]]:
    """Seconds of each step, one dict for each round; only what two checkouts share is imported here."""
    from fastapi.testclient import TestClient
    from PIL import Image

    from app.accounts.service import create_account
    from app.accounts.store import Role
    from app.database import make_engine, migrate, session_factory
    from app.main import create_app
    from app.settings import Settings
    from app.transactions import unit_of_work
    from models.synthetic.beats import beats
    from models.synthetic.heads import head_of, phantom
    from models.synthetic.traces import as_csv

    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder), database_url=None, data=None)
        engine = make_engine(settings.database)
        migrate(engine)
        with unit_of_work(session_factory(engine)) as session:
            create_account(session, "bench", PASSWORD, Role.CLINICIAN)
        with TestClient(create_app(settings), follow_redirects=False, headers={"Accept": "text/html"}) as client:
            client.post("/sign-in", data={"name": "bench", "password": PASSWORD})
            token = client.get("/account").text.split('name="csrf_token" value="')[1].split('"')[0]
            for number in range(1_000_000):
                # New files in every round: what a tree remembers of an earlier round must not help it.
                recording = beats(minutes=60, accelerations=0, decelerations=True, seed=number).recording
                stream = io.BytesIO()
                Image.fromarray(phantom(head_of(331.0, 0.2), seed=number)).save(stream, "PNG")
                ctg, image = ("trace.csv", as_csv(recording)), ("head.png", stream.getvalue())
                form = {"csrf_token": token, "patient": f"P-{number}", "ctg_stage": "labour"}
                form |= {"scan_gestational_age": "38+0", "pixel_size_mm": "0.2"}
                at = [time.perf_counter()]
                client.post("/check/ctg", files={"ctg": ctg}, headers={"X-CSRF-Token": token})
                client.post("/check/image", files={"image": image}, headers={"X-CSRF-Token": token})
                made = client.post("/assessments/new", data=form, files=[("ctg", ctg), ("image", image)])
                where = made.headers["location"]
                at.append(time.perf_counter())
                page, trace = client.get(where), client.get(f"{where}/trace")
                assert page.status_code == trace.status_code == 200
                at.append(time.perf_counter())
                typed = {"csrf_token": token, "head_circumference_mm": "330", "reason": "benchmark"}
                assert client.post(f"{where}/head-circumference", data=typed).status_code == 303
                at.append(time.perf_counter())
                yield dict(zip(STEPS, np.diff(at).tolist(), strict=True))


def serve_rounds() -> None:
    """Answer each line of standard input with the seconds of one more round, as JSON."""
    for line, seconds in zip(sys.stdin, seconds_of_rounds(), strict=False):
        assert line
        print(json.dumps(seconds), flush=True)


def _start(tree: Path) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    environment["PYTHONPATH"] = str(tree)
    command = [sys.executable, str(Path(__file__).resolve()), "--rounds"]
    return subprocess.Popen(
        command, cwd=tree, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def measure(trees: list[Path], rounds: int = ROUNDS) -> list[dict[str, list[float]]]:
    """Seconds of each step in every round, for each tree; the trees take turns, and the first round is thrown away."""
    processes = [_start(tree) for tree in trees]
    times: list[dict[str, list[float]]] = [{step: [] for step in STEPS} for _ in trees]
    try:
        for number in range(rounds + 1):
            for process, seconds in zip(processes, times, strict=True):
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write("one more\n")
                process.stdin.flush()
                for step, value in json.loads(process.stdout.readline()).items():
                    if number:
                        seconds[step].append(value)
    finally:
        for process in processes:
            process.terminate()
            process.wait(20)
    return times


def percentiles(seconds: list[float]) -> dict[str, float]:
    """50th and 95th percentile, ms."""
    return {name: float(1000 * np.percentile(seconds, share)) for name, share in (("p50", 50), ("p95", 95))}


def show(trees: list[Path]) -> None:
    """Print the percentiles of this tree, and the ratio to the other one where there are two."""
    times = measure(trees)
    print(f"{'step':26s}{'tree':10s}{'p50':>9s}{'p95':>9s}   ms, {ROUNDS} rounds, the trees in turn")
    for step in STEPS:
        timings = [percentiles(of_tree[step]) for of_tree in times]
        for label, timing in zip(("this", "beside"), timings, strict=False):
            print(f"{step:26s}{label:10s}{timing['p50']:9.1f}{timing['p95']:9.1f}")
        if len(timings) == 2:
            print(f"{'':26s}{'ratio':10s}{timings[0]['p50'] / timings[1]['p50']:9.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beside", type=Path, help="folder of another checkout of this project")
    parser.add_argument("--rounds", action="store_true", help="internal: measure rounds for the parent process")
    options = parser.parse_args()
    if options.rounds:
        serve_rounds()
    else:
        show([ROOT, *([options.beside.resolve()] if options.beside else [])])
