"""A federation of real processes over TLS on the loopback interface, for tests and benchmarks."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from benchmarks.postgresql import free_port
from federated.coordinator import kit
from federated.coordinator.folder import FederationFolder
from federated.hospital.folder import SiteFolder
from federated.hospital.preflight import preflight
from federated.plan import load
from federated.run import control
from federated.run.folder import RunFolder
from federated.trust import kit as kits
from federated.trust.agreement import agreement_hash
from models.bundle import shipped
from models.synthetic.datasets import MARK, write_uci

HOSPITALS = ("anne", "luke", "mary")


def plan_text(name: str, rounds: int, participation: str = "", sites: tuple[str, ...] = HOSPITALS) -> str:
    """The text of a small plan between hospitals; `participation` is added to the section of that name."""
    named = ", ".join(f'"{site}"' for site in sites)
    return f"""name = "{name}"
seed = 3
synthetic = true
[ctg]
rounds = {rounds}
calibration_folds = 2
[participation]
sites = [{named}]
approve_within_s = 40
connect_within_s = 40
{participation}
"""


def write_data(folder: Path, seed: int) -> Path:
    """Write a hospital's synthetic table."""
    write_uci(folder, women=30, seed=seed)
    (folder / MARK).touch()
    return folder


class Loopback:
    """A federation with its processes, in one folder.

    Parameters
    ----------
    folder : Path
    name : str
        Name of the federation.
    """

    def __init__(self, folder: Path, name: str = "loopback") -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.federation = FederationFolder.create(folder / "federation", name, "127.0.0.1", free_port(), free_port())
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a `fetal-health` command; what it prints goes to ``NAME.log``."""
        log: IO[bytes] = (self.folder / f"{name}.log").open("ab")
        line = [sys.executable, "-m", "app.cli", *arguments]
        process = subprocess.Popen(line, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        log.close()
        self.processes[name] = process
        return process

    def printed(self, name: str) -> str:
        """The output of a process."""
        return (self.folder / f"{name}.log").read_text(encoding="utf-8")

    def open(self) -> None:
        """Serve, and let the three hospitals join and connect."""
        self.serve()
        for seed, name in enumerate(HOSPITALS, start=1):
            self.join(name, write_data(self.folder / "data" / name, seed))
        self.nodes(*HOSPITALS)

    def serve(self) -> None:
        """Start the server and wait until its outer port accepts connections."""
        self.start("server", "federate", "serve", "--folder", str(self.federation.path), "--bind", "127.0.0.1")
        host, port = self.federation.address.split(":")
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection((host, int(port)), 1).close()
                return
            except OSError:
                if time.monotonic() > deadline or self.processes["server"].poll() is not None:
                    raise RuntimeError(f"the server did not start: {self.printed('server')}") from None
                time.sleep(0.1)

    def invite(self, name: str) -> Path:
        """Make a hospital's kit."""
        return kit.create(self.federation, name, self.folder / "kits")

    def site(self, name: str) -> SiteFolder:
        """A hospital's folder."""
        return SiteFolder(self.folder / "sites" / name)

    def join(self, name: str, data: Path) -> SiteFolder:
        """A hospital that has used its kit; its node is not started."""
        invitation, target = self.invite(name), self.folder / "sites" / name
        return SiteFolder.create(target, kits.read(invitation), invitation, preflight(name, data, None, self.folder))

    def nodes(self, *names: str) -> None:
        """Start hospitals' nodes and wait until they are connected."""
        before = {name: self._connections(name) for name in names}
        for name in names:
            self.start(name, "federate", "node", str(self.folder / "sites" / name))
        deadline = time.monotonic() + 60
        for name in names:
            while self._connections(name) == before[name]:
                if time.monotonic() > deadline or self.processes[name].poll() is not None:
                    raise RuntimeError(f"{name} did not start: {self.printed(name)}")
                time.sleep(0.1)

    def _connections(self, name: str) -> int:
        return self.printed(name).count("connected to") if (self.folder / f"{name}.log").exists() else 0

    def plan(self, text: str) -> Path:
        """Write a plan file."""
        path = self.folder / "plan.toml"
        path.write_text(text, encoding="utf-8")
        return path

    def run(self, name: str, plan: Path | None = None) -> RunFolder:
        """Start a job, or start it again on its folder."""
        run = RunFolder(self.folder / "runs" / name)
        if plan is not None:
            (run.path / "plan.toml").write_bytes(plan.read_bytes())
        line = control.command(run.path, None, shipped(), self.federation.path)
        with (self.folder / f"{name}.log").open("ab") as log:
            job = control.launch(run.path, line, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        self.processes[name] = job
        return run

    def approve(self, plan: Path, *names: str) -> None:
        """Let hospitals approve a plan as soon as it is on offer."""
        agreement = agreement_hash(load(plan))
        for name in names:
            site = self.site(name)
            while not (site.path / "offers" / f"{agreement}.json").exists():
                time.sleep(0.2)
            site.approve(agreement, "the hospital")

    def rounds(self, run: RunFolder) -> int:
        """Number of complete rounds so far."""
        return sum(event["kind"] == "round" for event in run.events())

    def wait_for_round(self, run: RunFolder, number: int, within_s: float = 120) -> None:
        """Wait until this many rounds are complete."""
        deadline = time.monotonic() + within_s
        while self.rounds(run) < number:
            if time.monotonic() > deadline:
                raise RuntimeError(f"only {self.rounds(run)} rounds: {self.printed(run.path.name)}")
            time.sleep(0.05)

    def wait(self, run: RunFolder, within_s: float = 240) -> int:
        """The job's exit code."""
        return self.processes[run.path.name].wait(within_s)

    def kill(self, name: str) -> None:
        """Kill a process at once (SIGKILL)."""
        self.processes[name].send_signal(signal.SIGKILL)
        self.processes.pop(name).wait(20)

    def end(self, name: str) -> None:
        """Ask a process to end, as systemd would."""
        self.processes[name].terminate()
        self.processes.pop(name).wait(20)

    def stop(self) -> None:
        """End everything in order."""
        for process in reversed(self.processes.values()):
            if process.poll() is None:
                process.terminate()
        for process in self.processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        self.processes.clear()
