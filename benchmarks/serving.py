"""An assessment of an hour of CTG and an image: bare, through our server, and through BentoML and LitServe.

``python -m benchmarks.serving`` installs BentoML and LitServe into an environment of their own, starts each with as
many workers and asks in turn, a round each, so that the load of the machine falls on all. No request repeats a trace or
an image. Our server stores every assessment, the others store nothing.
"""

import argparse
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path

import httpx
import numpy as np
from scipy.stats import t as student

from benchmarks.installation import installation
from benchmarks.material import head, hour
from benchmarks.peer_service import Inference
from benchmarks.peers import environment
from benchmarks.postgresql import free_port

Ask = Callable[[int], float]
_numbers = count(1_000_000)


def _ours(base: str, token: str) -> Ask:
    client = httpx.Client(base_url=base, timeout=120, headers={"Authorization": f"Bearer {token}"})
    form = {
        "ctg_stage": "labour",
        "pixel_size_mm": "0.2",
        "scan_gestational_age": "38+0",
        "ctg_gestational_age": "38+0",
    }

    def ask(number: int) -> float:
        files = [("ctg", ("t.csv", hour(number))), ("image", ("h.png", head(number)))]
        begun = time.perf_counter()
        answer = client.post("/api/v1/assessments", data=form | {"patient": f"S-{number}"}, files=files)
        taken = time.perf_counter() - begun
        assert answer.status_code == 201, answer.text
        assert answer.json()["result"]["score"] is not None
        return taken

    return ask


def _peer(base: str) -> Ask:
    client = httpx.Client(base_url=base, timeout=120)

    def ask(number: int) -> float:
        files = {"ctg": ("t.csv", hour(number)), "image": ("h.png", head(number))}
        begun = time.perf_counter()
        answer = client.post("/assess", files=files)
        taken = time.perf_counter() - begun
        assert answer.status_code == 200, answer.text
        assert answer.json()["score"] is not None
        return taken

    return ask


def _bare() -> Ask:
    inference = Inference()

    def ask(number: int) -> float:
        trace, image = hour(number), head(number)
        begun = time.perf_counter()
        json.dumps(inference(trace, image))
        return time.perf_counter() - begun

    return ask


def _start(stack: ExitStack, python: Path, name: str, workers: int) -> Ask | None:
    port = free_port()
    line = [str(python), "-m", "benchmarks.peer_service", name, str(port), str(workers)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    server = subprocess.Popen(
        line, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    stack.callback(_end, server)
    ask = _peer(f"http://127.0.0.1:{port}")
    for _ in range(240):
        with suppress(httpx.HTTPError, AssertionError):
            ask(next(_numbers))
            return ask
        if server.poll() is not None:
            break
        time.sleep(0.5)
    print(f"{name} did not start")
    return None


def _end(server: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def alone(asks: dict[str, Ask], rounds: int = 5, requests: int = 30) -> None:
    """One client: p50 of each, as the median over interleaved rounds, and its ratio to the bare inference."""
    medians: dict[str, list[float]] = {name: [] for name in asks}
    for _ in range(rounds):
        for name, ask in asks.items():
            medians[name].append(1000 * float(np.median([ask(next(_numbers)) for _ in range(requests)])))
    bare = float(np.median(medians["bare"]))
    print(f"\none client, p50, median of {rounds} rounds of {requests}")
    for name, values in medians.items():
        print(f"  {name:12s}{np.median(values):8.1f} ms   {np.median(values) / bare:6.2f} x bare")


def together(asks: dict[str, Ask], clients: int = 8, rounds: int = 12, requests: int = 32) -> None:
    """Several clients: assessments a second and percentiles, and our paired ratio to each peer."""
    rates: dict[str, list[float]] = {name: [] for name in asks}
    seconds: dict[str, list[float]] = {name: [] for name in asks}
    with ThreadPoolExecutor(clients) as pool:
        for _ in range(rounds):
            for name, ask in asks.items():
                numbers = [next(_numbers) for _ in range(requests)]
                for number in numbers:
                    hour(number), head(number)
                begun = time.perf_counter()
                seconds[name] += list(pool.map(ask, numbers))
                rates[name].append(requests / (time.perf_counter() - begun))
    print(f"\n{clients} clients, {rounds} rounds of {requests} each, interleaved")
    for name in asks:
        p50, p99 = np.percentile(seconds[name], (50, 99))
        line = f"  {name:12s}{np.mean(rates[name]):6.2f}/s   p50 {1000 * p50:6.0f} ms, p99 {1000 * p99:6.0f} ms"
        line += f" ({p99 / p50:.2f} x p50)"
        if name != "ours":
            logs = np.log(np.array(rates["ours"]) / np.array(rates[name]))
            half = float(student.ppf(0.975, len(logs) - 1)) * float(logs.std(ddof=1)) / len(logs) ** 0.5
            low, middle, high = np.exp([logs.mean() - half, logs.mean(), logs.mean() + half])
            line += f"   ours / {name}: {middle:.3f} ({low:.3f} to {high:.3f})"
        print(line)


def compare(peers: Path, workers: int = 2) -> None:
    """Print what one client and what eight see of each server.

    Parameters
    ----------
    peers : Path
        An environment with BentoML, LitServe and what the inference needs.
    """
    with ExitStack() as stack:
        place = stack.enter_context(installation(workers=str(workers)))
        token = place.user("user-0")
        place.serve()
        asks = {"bare": _bare(), "ours": _ours(place.base, token)}
        for name in ("bentoml", "litserve"):
            peer = _start(stack, peers / "bin" / "python", name, workers)
            if peer is not None:
                asks[name] = peer
        for ask in asks.values():
            for _ in range(6):
                ask(next(_numbers))
        alone(asks)
        together({name: ask for name, ask in asks.items() if name != "bare"})


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path, help="an environment that has them already")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    compare(options.peers or environment(), options.workers)


if __name__ == "__main__":
    main()
