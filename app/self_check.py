"""The self-check of `fetal-health doctor`: what is in order, what is not, and how to correct it."""

import importlib.util
import socket
import sys
from importlib.resources import files
from pathlib import Path

from app.bundles.service import BundleRegistry
from app.bundles.store import latest
from app.database import make_engine
from app.readiness import hindrance
from app.schema import require_whole
from app.settings import settings
from app.transactions import unit_of_work
from models.bundle import Bundle, shipped
from models.errors import BundleError, FetalHealthError

Line = tuple[bool, str]


def self_check(*, deep: bool = False) -> list[Line]:
    """Check the installation: for each check whether it is in order, and one line of text.

    Parameters
    ----------
    deep : bool
        Load the models as well. Otherwise the files of bundles are compared with their SHA-256.
    """
    chosen = settings()
    lines: list[Line] = [(sys.version_info >= (3, 11), f"Python {sys.version.split()[0]} (3.11 or newer is needed)")]
    vendor = Path(str(files("app"))) / "static" / "vendor"
    assets = all((vendor / name).exists() for name in ("htmx.min.js", "uPlot.iife.min.js", "pico.min.css"))
    lines.append((assets, "browser assets" + ("" if assets else ": run `make assets`")))
    for module in ("torch", "flwr"):
        installed = importlib.util.find_spec(module) is not None
        lines.append(
            (True, f"{module}: {'installed' if installed else 'not installed, so this installation cannot retrain'}")
        )
    try:
        bundle = Bundle(shipped())
        if deep:
            bundle.warm()
        lines.append((True, f"shipped bundle {bundle.identifier} matches its manifest"))
    except BundleError as error:
        lines.append((False, f"shipped bundle: {error}"))
    lines += _database(deep)
    data = chosen.data
    if data is None:
        lines.append((True, "FETAL_HEALTH_DATA is not set: only retraining on synthetic data"))
    else:
        lines.append((data.is_dir(), f"data folder {data}"))
    with socket.socket() as probe:
        busy = probe.connect_ex((chosen.host, chosen.port)) == 0
    lines.append((True, f"port {chosen.port} is {'in use (perhaps by this application)' if busy else 'free'}"))
    return lines


def _database(deep: bool) -> list[Line]:
    chosen = settings()
    if chosen.database_url is None and not chosen.home.exists():
        return [(True, f"no database yet: `fetal-health serve --prepare` creates one in {chosen.home}")]
    try:
        from app.database import session_factory

        engine = make_engine(chosen.database)
        require_whole(engine)
        with unit_of_work(session_factory(engine)) as session:
            deployment = latest(session)
            if deployment is None:
                return [(False, "no bundle is in service: `fetal-health models promote`")]
            bundle = BundleRegistry(chosen.home).open(deployment.bundle_id)
            if deep:
                bundle.warm()
        reason = hindrance(session_factory(engine), BundleRegistry(chosen.home))
        return [(not reason, reason or f"database and disk take a write; bundle {bundle.identifier} in service")]
    except BundleError as error:
        return [(False, f"bundle in service: {error}")]
    except FetalHealthError as error:
        return [(False, str(error))]
    except Exception as error:  # whatever a driver raises: the self-check names it and goes on
        return [(False, f"database: {str(error).splitlines()[0]}")]
