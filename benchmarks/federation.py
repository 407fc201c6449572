"""Benchmark of the federation: bytes and rounds per minute, what compression saves, and hundreds of sites."""

import subprocess
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from federated.plan import CompressionPlan, load, shipped_plans
from federated.run import control
from federated.run.folder import RunFolder
from federated.weights.compression import compress, decompress, flatten
from models.bundle import shipped
from models.synthetic import datasets

SITES = (10, 50, 200, 500)
WOMEN_A_SITE = 20
CODECS = (
    CompressionPlan(),
    CompressionPlan(kind="float16"),
    CompressionPlan(kind="int8"),
    CompressionPlan(kind="top-k", share=0.1),
    CompressionPlan(kind="top-k", share=0.02),
)


def _run(folder: Path, data: Path | None) -> tuple[list[dict[str, Any]], float]:
    """Events of a finished job, and the most memory that its process (server and engine, not the sites) held, MB."""
    peak = 0.0
    with subprocess.Popen(
        control.command(folder, data, shipped()), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as job:
        while job.poll() is None:
            try:
                for line in Path(f"/proc/{job.pid}/status").read_text().splitlines():
                    if line.startswith("VmRSS"):
                        peak = max(peak, int(line.split()[1]) / 1024)
            except OSError:
                break
            time.sleep(0.1)
    return RunFolder(folder).events(), peak


def _rate(rounds: Sequence[dict[str, Any]]) -> float:
    """Mean duration of a round, seconds."""
    times = [datetime.fromisoformat(event["time"]) for event in rounds]
    return max((times[-1] - times[0]).total_seconds(), 0.5) / max(len(times) - 1, 1)


def rates() -> None:
    """Measure a run of the synthetic plan with all models."""
    with tempfile.TemporaryDirectory() as home:
        started = time.perf_counter()
        events, _ = _run(control.prepare(Path(home), load(shipped_plans()["synthetic"]))[0], None)
        print("\nfederation, synthetic plan, one core for each site")
        for modality in ("ctg", "acidaemia", "ultrasound"):
            rounds = [event for event in events if event.get("modality") == modality]
            up, down = (np.mean([event[key] for event in rounds]) / 1024 for key in ("bytes", "bytes_down"))
            minute = 60 / _rate(rounds)
            print(f"{modality:12s} {minute:6.0f} rounds a minute, {up:8.0f} kB up and {down:8.0f} kB down a round")
        print(f"whole synthetic retraining: {time.perf_counter() - started:.0f} s")


def codecs() -> None:
    """Compare the kinds of compression on one update of the segmenter."""
    from federated.weights.arrays import arrays_of
    from models.ultrasound.network import HeadSegmenter

    rng = np.random.default_rng(0)
    update = {
        name: rng.standard_t(4, values.shape).astype(np.float32) for name, values in arrays_of(HeadSegmenter()).items()
    }
    whole = 0
    print("\none update of the segmenter      kB   x smaller   ms to pack and unpack")
    for plan in CODECS:
        started = time.perf_counter()
        payload, _ = compress(update, plan, 1)
        decompress(payload, update, plan)
        elapsed = 1000 * (time.perf_counter() - started)
        whole = whole or len(payload)
        name = plan.kind + (f", {100 * plan.share:g} %" if plan.kind == "top-k" else "")
        print(f"{name:28s} {len(payload) / 1024:7.0f} {whole / len(payload):11.1f} {elapsed:10.0f}")
    assert len(flatten(update)) * 4 == whole


def scaling(sites: Sequence[int] = SITES) -> None:
    """Measure the training of trees at growing numbers of simulated sites with twenty women each."""
    print("\nsites   s a round   ms a site   kB up   kB up a site   server and engine, MB")
    for count in sites:
        with tempfile.TemporaryDirectory() as home:
            data = Path(home) / "data"
            data.mkdir()
            (data / datasets.MARK).write_text("Generated data. Evidence of nothing.\n", encoding="utf-8")
            datasets.write_uci(data / "ctg", women=WOMEN_A_SITE * count, seed=1)
            plan = Path(home) / "scale.toml"
            plan.write_text(
                f'name = "scale"\nseed = 1\n[ctg]\nsites = {count}\nalpha = 100.0\nrounds = 4\ncalibration_folds = 2\n'
                "[gate]\nnever_worse_than_local = false\n",
                encoding="utf-8",
            )
            events, peak = _run(control.prepare(Path(home) / "runs", load(plan))[0], data)
            rounds = [event for event in events if event["kind"] == "round"]
            if len(rounds) < 4:
                print(f"{count:5d}   failed: {events[-1]}")
                continue
            seconds, up = _rate(rounds), np.mean([event["bytes"] for event in rounds]) / 1024
            print(
                f"{count:5d} {seconds:11.1f} {1000 * seconds / count:11.1f} {up:7.0f} {up / count:14.2f} {peak:22.0f}",
                flush=True,
            )


def show() -> None:
    """Run all benchmarks of this module."""
    codecs()
    rates()
    scaling()


if __name__ == "__main__":
    show()
