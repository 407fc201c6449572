"""A retraining in a process of its own: it runs a plan with Flower, builds the candidate bundle and asks the gate.

``python -m federated.job RUN_FOLDER --data DATA [--incumbent BUNDLE]``. The run folder holds ``plan.toml``. Started
again on the same folder, the job goes on after the last complete round. Exit code 0: the candidate is ready and has
passed the gate; 3: the candidate is ready, but the gate refused it; 1: the job failed.
"""

import argparse
import json
import os
import signal
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
os.environ.setdefault("FLWR_DISABLE_UPDATE_CHECK", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_DISABLE_DOCKER_CPU_WARNING", "1")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

from federated.plan import Plan, load
from federated.run.folder import RunFolder
from federated.sites.provenance import provenance
from federated.sites.simulated import make_sites
from federated.sites.site import SITES_VARIABLE
from models.bundle import Bundle
from models.errors import FetalHealthError
from models.synthetic import datasets

GATE_REFUSED = 3


# Results of a training, and the description of its data for the manifest.
Trained = tuple[dict[str, Any], list[dict[str, Any]]]


class Stopped(BaseException):
    """The job was asked to stop."""


def run(folder: RunFolder, plan: Plan, data: Path | None, incumbent: Bundle | None, on: Path | None = None) -> int:
    """Run a plan to its end and return the exit code.

    Parameters
    ----------
    folder : RunFolder
    plan : Plan
    data : Path or None
        Folder of the data sets, which are divided among simulated sites.
    incumbent : Bundle or None
        The bundle in service.
    on : Path or None
        Folder of a federation. If it is given, the run is between its hospitals and `data` is not used.
    """
    if not plan.shared:
        from federated.candidate.build import require_complete

        require_complete(plan, incumbent)
    results, entries = _simulated(folder, plan, data, incumbent) if on is None else _between_hospitals(folder, plan, on)
    if plan.shared:
        return _study(folder, results["shared"])
    from federated.candidate.build import build
    from federated.candidate.gate import judge

    if folder.candidate.exists():
        candidate = Bundle(folder.candidate)
    else:
        candidate = build(folder, plan, entries, results, incumbent, _lineage(folder, plan, on))
    candidate.warm()
    verdicts = judge(candidate.manifest, incumbent.manifest, plan.gate) if incumbent else []
    passed = all(verdict.passed for verdict in verdicts)
    (folder.path / "gate.json").write_text(json.dumps([asdict(v) for v in verdicts], indent=1), encoding="utf-8")
    for verdict in verdicts:
        folder.event("gate", verdict=verdict.words())
    model = candidate.manifest.get("lineage", {}).get("model", "")[:12]
    folder.event("finished", candidate=candidate.identifier, model=model, gate="passed" if passed else "refused")
    return 0 if passed else GATE_REFUSED


def _simulated(folder: RunFolder, plan: Plan, data: Path | None, incumbent: Bundle | None) -> Trained:
    if plan.synthetic:
        data = folder.path / "data"
        if not (data / datasets.MARK).exists():
            datasets.write(data, seed=plan.seed)
    if data is None:
        raise FetalHealthError("no data folder given: use --data or set FETAL_HEALTH_DATA")
    sites = make_sites(plan, data, folder.sites, incumbent.folder if incumbent else None)
    folder.event("started", plan=plan.name, sites=len(sites), pid=os.getpid())
    simulate(folder, len(sites))
    return json.loads((folder.path / "results.json").read_text(encoding="utf-8")), provenance(sites)


def _between_hospitals(folder: RunFolder, plan: Plan, on: Path) -> Trained:
    import logging

    from federated.coordinator.conduct import conduct, data_entries
    from federated.coordinator.folder import FederationFolder

    logging.getLogger("flwr").setLevel(logging.ERROR)
    federation = FederationFolder(on)
    folder.event("started", plan=plan.name, federation=federation.name, pid=os.getpid())
    results = conduct(folder, plan, federation)
    return results, data_entries(results)


def _lineage(folder: RunFolder, plan: Plan, on: Path | None) -> dict[str, Any]:
    """How a candidate was made: run, plan and code by hash, rounds, federation. "bundle" is the agreement's hash."""
    from federated.coordinator.folder import FederationFolder
    from federated.trust.agreement import agreement_hash, code_hash

    rounds = {event["modality"]: event["round"] for event in folder.events() if event["kind"] == "round"}
    lineage = {"run": folder.path.name, "bundle": agreement_hash(plan), "code": code_hash(), "rounds": rounds}
    return {**lineage, "federation": FederationFolder(on).name} if on else lineage


def _study(folder: RunFolder, results: dict[str, Any]) -> int:
    """Finish a run of a shared representation: it changes no bundle; figures and weights stay in the run folder."""
    for note in results["notes"].values():
        folder.event("note", words=note)
    for task, figures in results["figures"].items():
        folder.event("judged", task=task, **figures)
    folder.event("finished", figures="results.json", weights="checkpoints/shared.npz")
    return 0


def simulate(folder: RunFolder, sites: int) -> None:
    """Run Flower's simulation in this process: one core for each site, as many sites at a time as there are cores.

    Raises
    ------
    FetalHealthError
        The run ended without a result.
    """
    import logging

    from federated.server_app import RUN_VARIABLE

    results, failure = folder.path / "results.json", folder.path / "checkpoints" / "failure.json"
    results.unlink(missing_ok=True)
    failure.unlink(missing_ok=True)
    os.environ[RUN_VARIABLE] = str(folder.path)
    os.environ[SITES_VARIABLE] = str(folder.sites)
    cores = os.cpu_count() or 1
    # One thread for each site: small models gain little from more, and results do not depend on the machine.
    os.environ["OMP_NUM_THREADS"] = "1"
    # Threads sleep while they wait: on a busy machine, spinning threads slow each other down.
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    from flwr.simulation import run_simulation

    from federated import client_app, server_app

    logging.getLogger("flwr").setLevel(logging.ERROR)
    run_simulation(
        server_app.app,
        client_app.app,
        num_supernodes=sites,
        backend_config={
            "init_args": {"num_cpus": cores, "num_gpus": 0, "include_dashboard": False, "log_to_driver": False},
            "client_resources": {"num_cpus": 1, "num_gpus": 0.0},
        },
    )
    if failure.exists():
        raise FetalHealthError(json.loads(failure.read_text(encoding="utf-8"))["reason"])
    if not results.exists():
        raise FetalHealthError("the federation ended without a result; the lines above say where")


def _stop(signum: int, frame: FrameType | None) -> None:
    raise Stopped


def main(arguments: list[str] | None = None) -> int:
    """Run the job of a folder; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--incumbent", type=Path)
    parser.add_argument("--on", type=Path, help="a federation's folder: run between its hospitals")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, _stop)
    folder = RunFolder(options.folder.resolve())
    try:
        plan = load(folder.path / "plan.toml")
        incumbent = Bundle(options.incumbent) if options.incumbent else None
        return run(folder, plan, options.data, incumbent, options.on)
    except (Stopped, KeyboardInterrupt):
        folder.event("stopped", next="run the same command again to go on from the last whole round")
        # Flower's server thread still waits for its round; Ray's processes end with this one.
        os._exit(130)
    except FetalHealthError as error:
        folder.event("failed", reason=str(error))
        return 1
    except OSError as error:
        reason = f"{error.strerror or error}: {error.filename or folder.path}; run the same command again to go on"
        with suppress(OSError):
            folder.event("failed", reason=reason)
        print(reason, file=sys.stderr)
        return 1
    except Exception as error:
        folder.event("failed", reason=f"{type(error).__name__}: {error}")
        print(f"details: {folder.path}", file=sys.stderr)
        raise


if __name__ == "__main__":
    sys.exit(main())
