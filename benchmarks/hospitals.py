"""Benchmark of a federation between hospitals on loopback: the time of a round, and whether a run survives failures.

``python -m benchmarks.hospitals [--kills 20] [--write FILE]``. Three hospitals with synthetic tables over TLS. There
is almost no work in a round, so that its time is that of the messages. A round of trees is two exchanges with every
hospital; under masks it is five.
"""

import argparse
import json
import random
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks import stock_flower
from benchmarks.loopback import HOSPITALS, Loopback, plan_text
from federated.run.folder import RunFolder

ROUNDS, EXCHANGES = 8, 2


def finished(loopback: Loopback, name: str, plan: Path) -> RunFolder:
    """Run a plan to its end."""
    run = loopback.run(name, plan)
    loopback.approve(plan, *HOSPITALS)
    loopback.wait(run)
    if run.events()[-1]["kind"] != "finished":
        raise RuntimeError(loopback.printed(name))
    return run


def seconds_a_round(run: RunFolder) -> float:
    """Mean time between rounds, seconds; events are stamped to the second, so all rounds are taken together."""
    times = [datetime.fromisoformat(event["time"]) for event in run.events() if event["kind"] == "round"]
    return (times[-1] - times[0]).total_seconds() / (len(times) - 1)


def bytes_a_round(run: RunFolder) -> float:
    """Mean size of the messages of a round, up and down, kB."""
    rounds = [event for event in run.events() if event["kind"] == "round"]
    return sum(event["bytes"] + event["bytes_down"] for event in rounds) / len(rounds) / 1024


def survive(loopback: Loopback, kills: int, whole: RunFolder, plan: Path) -> dict[str, Any]:
    """Kill the server or the job so many times at random moments of one run, and start it again each time."""
    draw = random.Random(20261125)
    run = loopback.run("killed", plan)
    struck = {"server": 0, "killed": 0}
    while sum(struck.values()) < kills and loopback.processes["killed"].poll() is None:
        time.sleep(draw.uniform(1.0, 8.0))
        if loopback.processes["killed"].poll() is not None:
            break
        which = draw.choice(["server", "killed"])
        loopback.kill(which)
        struck[which] += 1
        print(f"  {sum(struck.values())}: {which} killed after {loopback.rounds(run)} rounds", flush=True)
        if which == "server":
            loopback.serve()
        else:
            loopback.run("killed")
    loopback.wait(run, 600)
    last = run.events()[-1]
    if last["kind"] != "finished":
        raise RuntimeError(loopback.printed("killed")[-2000:])
    rounds = [event["round"] for event in run.events() if event["kind"] == "round"]
    return {
        "server": struck["server"],
        "job": struck["killed"],
        "rounds": len(rounds),
        "sites_each_round": sorted({event["sites"] for event in run.events() if event["kind"] == "round"}),
        "same_model": last.get("model") == whole.events()[-1]["model"] and rounds == list(range(1, len(rounds) + 1)),
    }


def measure(kills: int) -> dict[str, Any]:
    """Measure everything; the results as a dictionary."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        loopback = Loopback(Path(folder))
        try:
            loopback.open()
            plain = finished(loopback, "plain", loopback.plan(plan_text("plain", ROUNDS)))
            first = time.perf_counter() - started
            masked = finished(
                loopback, "masked", loopback.plan(plan_text("masked", ROUNDS, "[privacy]\nsecure_sums = true"))
            )
            results: dict[str, Any] = {
                "stock_flower_s_an_exchange": round(stock_flower.seconds_a_round(), 2),
                "from_nothing_to_a_finished_run_s": round(first, 1),
                "plain": {"seconds_a_round": seconds_a_round(plain), "kb_a_round": bytes_a_round(plain)},
                "masked": {"seconds_a_round": seconds_a_round(masked), "kb_a_round": bytes_a_round(masked)},
            }
            if kills:
                plan = loopback.plan(plan_text("kills", max(2 * kills, ROUNDS)))
                results["kills"] = survive(loopback, kills, finished(loopback, "whole", plan), plan)
        finally:
            loopback.stop()
    return results


def show(results: dict[str, Any]) -> None:
    """Print a table."""
    plain, masked = results["plain"], results["masked"]
    whole = results["from_nothing_to_a_finished_run_s"]
    print(f"\nbetween three hospitals over TLS: {whole} s from nothing to a finished run")
    print(f"{'a round of trees':24s}{'s':>8s}{'kB':>8s}")
    for name, values in (("in clear", plain), ("under masks", masked)):
        print(f"{name:24s}{values['seconds_a_round']:8.2f}{values['kb_a_round']:8.1f}")
    ratios = [masked[key] / plain[key] for key in ("seconds_a_round", "kb_a_round")]
    print(f"{'ratio':24s}{ratios[0]:8.2f}{ratios[1]:8.2f}")
    stock, ours = results["stock_flower_s_an_exchange"], plain["seconds_a_round"] / EXCHANGES
    print(
        f"an exchange: {ours:.2f} s; stock Flower, two sites, no TLS: {stock:.2f} s, {stock / ours:.1f} times as long"
    )
    if "kills" in results:
        print(f"killed: {results['kills']}")


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    results = measure(options.kills)
    show(results)
    if options.write:
        options.write.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
