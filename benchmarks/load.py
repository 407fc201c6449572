"""Fifty clinicians at once, each doing a step every five seconds, on SQLite and on PostgreSQL.

``python -m benchmarks.load`` prints errors, percentiles of pages, checks and assessments, and the memory (PSS) of all
processes in the first and the last minute. Every assessment carries an hour of CTG and an image never sent before.
"""

import argparse
import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np

from benchmarks.installation import PASSWORD, Installation, installation
from benchmarks.material import head, hour
from benchmarks.memory import children, pss_mb
from benchmarks.postgresql import postgresql

PAGE = {"Accept": "text/html"}


@dataclass
class Seen:
    """What the clinicians saw.

    Attributes
    ----------
    seconds : dict of kind of step to list of float
    errors : list of str
    memory : list of (float, float)
        Seconds since the start, and MB.
    """

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: list[str] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)


class Clinician:
    """A browser of one clinician."""

    def __init__(self, base: str, number: int, seen: Seen, pause_s: float) -> None:
        self.client = httpx.AsyncClient(base_url=base, timeout=120, headers=PAGE)
        self.number, self.seen, self.pause_s = number, seen, pause_s
        self.material = 10_000 * number
        self.here = ""

    async def _step(self, kind: str, method: str, address: str, expected: int, **more: Any) -> httpx.Response | None:
        begun = time.perf_counter()
        try:
            answer = await self.client.request(method, address, **more)
        except httpx.HTTPError as error:
            self.seen.errors.append(f"{kind}: {type(error).__name__}")
            answer = None
        taken = time.perf_counter() - begun
        self.seen.seconds[kind].append(taken)
        if answer is not None and answer.status_code != expected:
            self.seen.errors.append(f"{kind}: {answer.status_code} {answer.text[:200]}")
        await asyncio.sleep(max(self.pause_s - taken, 0.0))
        return answer

    async def work(self, until: float) -> None:
        """Sign in, and go round: worklist, form, check, assessment, result, trace, review, patient."""
        name = f"user-{self.number}"
        await asyncio.sleep(self.pause_s * self.number / 50)
        await self._step("sign-in", "POST", "/sign-in", 303, data={"name": name, "password": PASSWORD})
        page = (await self.client.get("/account")).text
        token = page.split('name="csrf_token" value="')[1].split('"')[0]
        steps = 0
        while time.monotonic() < until:
            self.material += 1
            patient = f"P-{self.number}-{steps % 5}"
            trace, image = ("t.csv", hour(self.material)), ("h.png", head(self.material))
            form = {"csrf_token": token, "patient": patient, "ctg_stage": "labour", "pixel_size_mm": "0.2"}
            form |= {"scan_gestational_age": "38+0"}
            await self._step("page", "GET", "/", 200)
            await self._step("page", "GET", "/assessments/new", 200)
            await self._step("check", "POST", "/check/ctg", 200, data={"csrf_token": token}, files={"ctg": trace})
            files = [("ctg", trace), ("image", image)]
            answer = await self._step("assessment", "POST", "/assessments/new", 303, data=form, files=files)
            here = answer.headers.get("location", "/") if answer is not None else "/"
            await self._step("page", "GET", here, 200)
            await self._step("page", "GET", f"{here}/trace", 200)
            await self._step("page", "POST", f"{here}/review", 303, data={"csrf_token": token, "verdict": "agree"})
            await self._step("page", "GET", f"/patients/{patient}", 200)
            steps += 1
        await self.client.aclose()


async def _watch(seen: Seen, processes: list[int], began: float, until: float) -> None:
    while time.monotonic() < until:
        total = sum(pss_mb(each) for process in processes for each in [process, *children(process)])
        seen.memory.append((time.monotonic() - began, total))
        await asyncio.sleep(2)


def load(place: Installation, clinicians: int, seconds: float, pause_s: float = 5.0) -> Seen:
    """Let clinicians work for some seconds."""
    seen = Seen()
    server = place.servers[-1]
    began = time.monotonic()

    async def everybody() -> None:
        work = [Clinician(place.base, n, seen, pause_s).work(began + seconds) for n in range(clinicians)]
        await asyncio.gather(_watch(seen, [server.pid], began, began + seconds), *work)

    asyncio.run(everybody())
    return seen


def prepare(place: Installation, clinicians: int) -> None:
    """Accounts, a server, and material that is generated beforehand."""
    for number in range(clinicians):
        place.user(f"user-{number}")
    place.serve()
    hour(0), head(0)


def show(name: str, seen: Seen, seconds: float) -> None:
    """Print what they saw."""
    requests = sum(map(len, seen.seconds.values()))
    print(f"\n{name}: {requests} requests in {seconds:.0f} s, {len(seen.errors)} errors {sorted(set(seen.errors))[:3]}")
    for kind, values in seen.seconds.items():
        quantiles = [f"{1000 * float(np.percentile(values, q)):8.0f}" for q in (50, 95, 99)]
        print(f"  {kind:12s}{len(values):6d}   p50, p95, p99, ms:" + "".join(quantiles))
    first = [mb for at, mb in seen.memory if 20 <= at < 80]
    last = [mb for at, mb in seen.memory if at >= seconds - 60]
    if first and last:
        print(
            f"  memory (PSS): {np.mean(first):.0f} MB in the first minute after the start, {np.mean(last):.0f} MB in "
            f"the last ({np.mean(last) / np.mean(first):.2f})"
        )


def main() -> None:
    """Run on both engines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clinicians", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=180)
    options = parser.parse_args()
    with installation() as place:
        prepare(place, options.clinicians)
        show("SQLite", load(place, options.clinicians, options.seconds), options.seconds)
    with postgresql() as server, installation(server.address) as place:
        prepare(place, options.clinicians)
        show("PostgreSQL", load(place, options.clinicians, options.seconds), options.seconds)


if __name__ == "__main__":
    main()
