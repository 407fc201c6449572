"""Write ``docs/tutorials/between-hospitals.md`` by running it: ``python -m benchmarks.transcript DATA DOCS``.

One server, three hospitals with a third of the CTU-UHB records each, an application with the federation page; processes
of their own over TLS. A hospital and the server are killed on the way; the candidate is promoted and rolled back.
"""

import argparse
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.postgresql import free_port
from federated.run.status import read_status
from models.datasets import ctu_uhb

WARDS = ("ward-1", "ward-2", "ward-3")
PASSWORD = secrets.token_urlsafe(12)
BIN = Path(sys.executable).parent / "fetal-health"


class Stage:
    """Runs commands in a folder and records what they print.

    Parameters
    ----------
    folder : Path
    images : Path
        Where screenshots go.
    """

    def __init__(self, folder: Path, images: Path) -> None:
        self.folder = folder
        self.images = images
        self.lines: list[str] = []
        self.background: dict[str, subprocess.Popen[bytes]] = {}
        home = {"FETAL_HEALTH_HOME": "operator", "FETAL_HEALTH_FEDERATION": "federation", "COLUMNS": "120"}
        inherited = {k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "FETAL_HEALTH_DATA"}}
        self.environment = {**inherited, **home, "PATH": f"{BIN.parent}:{os.environ['PATH']}"}

    def words(self, text: str) -> None:
        """Add a paragraph to the transcript."""
        self.lines += [text, ""]

    def show(self, command: str, output: str, keep: int = 30) -> None:
        """Add a command and the first lines of its output."""
        shown = [line.rstrip() for line in output.replace(f"{self.folder}/", "").splitlines() if line.strip()]
        self.lines += ["```", f"$ {command}", *shown[:keep], "```", ""]

    def do(self, command: str, keep: int = 30, given: str = "") -> str:
        """Run a command to its end and show it."""
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            input=given,
            check=False,
            timeout=300,
        )
        self.show(command, done.stdout + done.stderr, keep)
        return done.stdout + done.stderr

    def start(self, name: str, command: str, until: str, within_s: float = 90) -> None:
        """Start a command in the background and wait for a line of it."""
        log = self.folder / f"{name}.log"
        before = log.stat().st_size if log.exists() else 0
        with log.open("ab") as handle:
            self.background[name] = subprocess.Popen(
                command.split(), cwd=self.folder, env=self.environment, stdout=handle, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + within_s
        while until not in log.read_bytes()[before:].decode():
            if time.monotonic() > deadline or self.background[name].poll() is not None:
                raise RuntimeError(log.read_text(encoding="utf-8"))
            time.sleep(0.2)

    def kill(self, name: str) -> None:
        """Kill a background command at once (SIGKILL)."""
        self.background[name].send_signal(signal.SIGKILL)
        self.background.pop(name).wait(20)

    def end(self) -> None:
        """Stop all background commands."""
        for process in reversed(self.background.values()):
            process.terminate()
        for process in self.background.values():
            process.wait(30)

    def log(self, name: str) -> str:
        """The output of a background command."""
        return (self.folder / f"{name}.log").read_text(encoding="utf-8")


def share_out(data: Path, folder: Path) -> None:
    """Give a third of the records to each ward."""
    where = ctu_uhb.find(data)
    if where is None:
        raise SystemExit(f"{data}: no CTU-UHB records below it")
    for position, (name, header, signals) in enumerate(ctu_uhb.contents(where)):
        target = folder / "data" / WARDS[position % len(WARDS)]
        target.mkdir(parents=True, exist_ok=True)
        (target / f"{name}.hea").write_bytes(header)
        (target / f"{name}.dat").write_bytes(signals)


def wait_for_port(port: int) -> None:
    """Wait until a process listens on the port."""
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 0.5).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"nothing listens on {port}")


def rounds(run: Path) -> int:
    """Number of complete rounds of the acidaemia model."""
    return int(read_status(run).rounds.get("acidaemia", {"round": 0})["round"])


def until(condition: Any, within_s: float = 1500) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("it did not happen in time")
        time.sleep(0.3)


def play(stage: Stage, page: Any, port: int) -> None:
    """Run all steps in order."""
    base = f"http://127.0.0.1:{port}"
    outside, inside = free_port(), free_port()
    stage.words("## 1. A server, and a kit for every hospital")
    serve = (
        f"fetal-health federate serve --folder federation --name north --host 127.0.0.1 --port {outside} "
        f"--inside-port {inside}"
    )
    stage.start("server", serve, "invite one")
    stage.show(serve + " &", stage.log("server"))
    wait_for_port(inside)
    for ward in WARDS:
        stage.do(f"fetal-health federate kit create {ward} --folder federation --out kits", keep=2)
    stage.words(
        "## 2. The hospitals join\n\nOne command each. It looks at the data, makes the ward's own key, registers it "
        "with the kit, and stays to answer. Nothing is listened to at the hospital: the node only calls out."
    )
    for ward in WARDS:
        join = f"fetal-health federate join kits/{ward}.kit --data data/{ward} --folder {ward}"
        stage.start(ward, join, "connected to")
        if ward == WARDS[0]:
            stage.show(join, stage.log(ward))
    stage.do(f"fetal-health federate join kits/{WARDS[0]}.kit --data data/{WARDS[0]} --folder thief")
    stage.do("fetal-health federate kit list --folder federation")
    stage.do(f"curl -s --cacert federation/tls/ca.crt -X POST https://127.0.0.1:{outside}/v1/control/start-run")
    stage.words(
        "The control interface, through which runs are started, is not there from outside.\n\n## 3. A run between them"
    )
    stage.start("application", f"fetal-health serve --port {port}", "")
    wait_for_port(port)
    page.goto(f"{base}/sign-in")
    page.fill("[name=name]", "olga")
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/federation")  # where operators land
    form = page.locator("form[action='/federation/runs']")
    form.locator("select[name=plan]").select_option("acidaemia")
    for ward in WARDS:
        form.locator(f"input[value={ward}]").check()
    form.locator("[name=minimum_sites]").fill("2")
    form.locator("button").click()
    page.wait_for_url("**/federation/runs/*")
    run = stage.folder / "operator" / "runs" / page.url.rsplit("/", 1)[-1]
    until(lambda: read_status(run).waiting)
    page.reload()
    page.screenshot(path=str(stage.images / "federation-waiting.png"), full_page=True)
    stage.words(
        "On the federation page the operator ticks the three wards, *at least 2*, and starts the plan `acidaemia`. It "
        "waits: nobody has approved it.\n\n![The run waits for approvals](../images/federation-waiting.png)\n\n"
        "At each hospital the node names the plan; its IT department reads it and approves plan and code by one hash."
    )
    asked = r"federate approve \S+ ([0-9a-f]{12})"
    until(lambda: all(re.search(asked, stage.log(ward)) for ward in WARDS))
    (agreement,) = set(re.findall(asked, stage.log(WARDS[0])))
    stage.do(f"cat {WARDS[0]}/offers/{agreement}*.json", keep=14)
    for ward in WARDS:
        stage.do(f"fetal-health federate approve {ward} {agreement}")
    until(lambda: rounds(run) >= 12)
    stage.do(f"fetal-health federate status operator/runs/{run.name}")
    stage.words("## 4. A hospital is killed in the middle of a round, then the server")
    stage.kill(WARDS[2])
    stage.show(f"kill -9 $(pgrep -f 'kits/{WARDS[2]}.kit')", "")
    until(lambda: read_status(run).lost)
    before = rounds(run)
    until(lambda: rounds(run) >= before + 6)
    stage.do(f"grep lost operator/runs/{run.name}/events.jsonl")
    stage.kill("server")
    stage.show("kill -9 $(pgrep -f 'federate serve')", "")
    time.sleep(4)
    before = rounds(run)
    stage.start("server", serve, "invite one")
    stage.show(serve + " &", "")
    until(lambda: rounds(run) >= before + 6)
    stage.words(
        "The two others went on without ward-3, which is named. The run waited for the server, and went on with it.\n\n"
        "Now the operator's machine fails too: the job is killed. ward-3 is back in the meantime; when the operator "
        "lets the run go on, it goes on at the next round, and asks all three again."
    )
    stage.start(WARDS[2], f"fetal-health federate node {WARDS[2]}", f"{WARDS[2]}: connected to")
    stage.show(f"fetal-health federate node {WARDS[2]} &    # systemd would have", "")
    kill = f"kill -9 $(cat operator/runs/{run.name}/pid)"
    stage.do(kill)
    page.goto(f"{base}/federation/runs/{run.name}")
    until(lambda: read_status(run).state == "dead")
    page.reload()
    before = rounds(run)
    page.get_by_role("button", name="Continue from the last complete round").click()
    until(lambda: rounds(run) >= before + 8)
    stage.do(f"grep -v ' round ' operator/runs/{run.name}/log.txt")
    page.goto(f"{base}/federation/runs/{run.name}")
    page.screenshot(path=str(stage.images / "federation-run.png"), full_page=True)
    stage.words("![The run goes on](../images/federation-run.png)\n\n## 5. Judged, promoted, rolled back")
    until(lambda: read_status(run).state != "running")
    stage.do(f"fetal-health federate status operator/runs/{run.name}", keep=40)
    page.goto(f"{base}/federation")  # registers the candidate
    candidate = str(read_status(run).candidate)
    stage.do(f"fetal-health models promote {candidate} --reason 'three wards, reviewed by the board'")
    stage.do("fetal-health models rollback --reason 'as an exercise'")
    page.goto(f"{base}/federation")
    page.screenshot(path=str(stage.images / "federation-rolled-back.png"), full_page=True)
    stage.words(
        "The application takes both up without a restart.\n\n"
        "![In service over time](../images/federation-rolled-back.png)"
    )
    stage.words("## 6. What is on record\n\nAt the hospital, and at the server: logs that cannot be changed unnoticed.")
    stage.do(f"fetal-health federate log {WARDS[2]} | grep -v ' message:' | tail -12", keep=14)
    stage.do("fetal-health federate log federation | tail -12", keep=14)
    stage.do(f"fetal-health models show {candidate} | grep -A 2 Lineage")


HEAD = """\
# A run between three hospitals, step by step

Made by `python -m benchmarks.transcript DATA docs`: every line was run, by separate processes over TLS on one machine,
in {minutes:.0f} minutes. The wards hold a third of the CTU-UHB records each (public data, development portion); a real
federation would have one machine a ward. Research prototype, not a medical device. How to set one up:
[Invite a hospital](../how-to/invite-a-hospital.md).
"""


def main() -> None:
    """Run the transcript from the command line."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("docs", type=Path)
    options = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder), (options.docs / "images").resolve())
        share_out(options.data, stage.folder)
        stage.do("fetal-health migrate")
        stage.do("fetal-health user add olga --role operator --password-stdin", given=PASSWORD + "\n")
        stage.lines.clear()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1200, "height": 800})
            try:
                play(stage, page, free_port())
            finally:
                browser.close()
                stage.end()
    minutes = (time.monotonic() - started) / 60
    text = "\n".join([HEAD.format(minutes=minutes), *stage.lines])
    (options.docs / "tutorials" / "between-hospitals.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
