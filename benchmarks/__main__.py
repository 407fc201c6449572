"""Latency through the running server beside the same inference called bare; memory; start-up; federation speed."""

import importlib.util
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from benchmarks import commands
from benchmarks import ctg as ctg_benchmark
from benchmarks import ultrasound as ultrasound_benchmark
from benchmarks.timing import timed
from models.bundle import Bundle, shipped
from models.ctg import formats
from models.ctg.analysis import analyse
from models.fusion.inputs import CtgInput, ScanImage, ScanInput
from models.fusion.risk import assess
from models.growth.assessment import Age
from models.synthetic.heads import phantom
from models.synthetic.traces import as_wfdb, trace
from models.ultrasound import formats as image_formats
from models.ultrasound.ellipse import Ellipse
from models.ultrasound.image import Scale


def resident_mb(pid: int) -> float:
    """Resident memory of a process, MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    """Run everything and print a table."""
    ctg = as_wfdb(trace(minutes=60, seed=1).recording, "hour")
    stream = io.BytesIO()
    Image.fromarray(phantom(Ellipse(400, 270, 230, 180, 0.1), seed=1)).save(stream, "PNG")
    image = stream.getvalue()
    bundle = Bundle(shipped()).warm()
    ctg_benchmark.show(ctg_benchmark.table(bundle))
    ultrasound_benchmark.show(bundle)
    commands.show()
    print()

    def bare(with_ctg: bool, with_image: bool) -> Callable[[], Any]:
        def call() -> Any:
            ctg_input = scan = None
            if with_ctg:
                ctg_input = CtgInput(analysis=analyse(formats.read(ctg)))
            if with_image:
                (picture,) = image_formats.read("a.png", image, Scale(0.18))
                scan = ScanInput((ScanImage(picture, bundle.segmenter.head(picture.pixels)),), age=Age(196, "given"))
            return json.dumps(assess(bundle, ctg_input, scan).as_dict())

        return call

    with tempfile.TemporaryDirectory() as home:
        environment = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"} | {"FETAL_HEALTH_HOME": home}
        run = [sys.executable, "-m", "app.cli"]
        subprocess.run([*run, "migrate"], env=environment, check=True, stdout=subprocess.DEVNULL)
        add = [*run, "user", "add", "bench", "--role", "clinician", "--password-stdin"]
        subprocess.run(
            add, env=environment, check=True, input="benchmark password\n", text=True, stdout=subprocess.DEVNULL
        )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        started = time.perf_counter()
        server = subprocess.Popen([*run, "serve", "--port", str(port)], env=environment, stdout=subprocess.DEVNULL)
        base = f"http://127.0.0.1:{port}"
        try:
            while True:
                try:
                    if httpx.get(base + "/health/ready").status_code == 200:
                        break
                except httpx.HTTPError:
                    time.sleep(0.02)
            ready = time.perf_counter() - started
            idle = resident_mb(server.pid)
            client = httpx.Client(base_url=base, timeout=60)
            client.post("/sign-in", data={"name": "bench", "password": "benchmark password"})
            page = client.get("/account", headers={"Accept": "text/html"}).text
            client.headers["X-CSRF-Token"] = page.split('name="csrf_token" value="')[1].split('"')[0]

            def served(with_ctg: bool, with_image: bool) -> Callable[[], Any]:
                files = [("ctg", (name, content)) for name, content in ctg.items()] if with_ctg else []
                files += [("image", ("a.png", image))] if with_image else []
                data = {"patient": "bench", "scan_gestational_age": "28+0", "pixel_size_mm": "0.18"}

                def call() -> Any:
                    answer = client.post(
                        "/api/v1/assessments", data=data if with_image else {"patient": "bench"}, files=files
                    )
                    assert answer.status_code == 201, answer.text
                    return answer

                return call

            print(f"{'assessment':22s}{'':8s}{'p50':>8s}{'p95':>8s}{'p99':>8s}   ms")
            for name, flags in (("CTG, one hour", (True, False)), ("image", (False, True)), ("both", (True, True))):
                alone, through = timed(bare(*flags)), timed(served(*flags))
                for label, timing in (("bare", alone), ("served", through)):
                    print(f"{name:22s}{label:8s}" + "".join(f"{timing[k]:8.1f}" for k in ("p50", "p95", "p99")))
                share = through["p50"] - alone["p50"]
                print(f"{'':22s}{'ratio':8s}{through['p50'] / alone['p50']:8.2f}   server's own share {share:.1f} ms")
            with ThreadPoolExecutor(10) as pool:
                peak = [0.0]
                futures = [pool.submit(served(True, True)) for _ in range(60)]
                while not all(future.done() for future in futures):
                    peak[0] = max(peak[0], resident_mb(server.pid))
                    time.sleep(0.05)
                for future in futures:
                    future.result()
            print(
                f"\nready after {ready:.2f} s; resident {idle:.0f} MB idle, "
                f"{peak[0]:.0f} MB under ten concurrent clients"
            )
        finally:
            server.terminate()
            server.wait(20)
    if importlib.util.find_spec("flwr") is not None:
        from benchmarks import federation, hospitals

        federation.show()
        hospitals.show(hospitals.measure(kills=0))


if __name__ == "__main__":
    main()
