"""Pages for operators: hospitals, runs, schedules and bundles."""

from datetime import UTC, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from app.accounts.guards import Operator
from app.audit.store import record
from app.bundles import jobs
from app.bundles.store import BundleRow, bundles, history, latest
from app.errors import NotFoundError
from app.monitoring.store import open_notices
from app.orm import now
from app.pages import render
from app.retraining import hospitals, schedule, service
from app.retraining.store import schedules
from app.sessions import Database
from app.texts import LocalMoment, Number
from federated.candidate.gate import judge
from federated.plan import GatePlan, shipped_plans
from federated.run import control
from federated.run.status import read_status
from models.errors import InputError

router = APIRouter(include_in_schema=False)


@router.get("/federation")
def federation(request: Request, user: Operator, session: Database) -> Response:
    """The page of hospitals, runs, schedules and bundles."""
    runs = service.collect(request.app.state.sessions, request.app.state.settings)
    current = latest(session)
    values = {
        "runs": runs,
        "plans": list(shipped_plans()),
        "hospitals": hospitals.view(request.app.state.settings),
        "schedules": schedules(session),
        "tomorrow": now() + timedelta(days=1),
        "bundles": bundles(session),
        "current": current,
        "history": history(session),
        "notices": len(open_notices(session)),
        "going": any(status.state in {"running", "starting"} for status in runs),
    }
    partial = request.headers.get("hx-request") == "true"
    return render(request, "federation_runs.html" if partial else "federation.html", values)


@router.post("/federation/runs")
def start(
    request: Request,
    user: Operator,
    session: Database,
    plan: Annotated[str, Form(max_length=80)],
    site: Annotated[list[str] | None, Form()] = None,
    minimum_sites: Annotated[str, Form(max_length=4)] = "",
) -> Response:
    """Start a plan, on this machine or between hospitals."""
    name = service.start(session, request.app.state.settings, plan, site or [], _minimum(minimum_sites))
    record(session, user, "run.start", plan=plan, run=name, sites=sorted(site or []))
    return RedirectResponse(f"/federation/runs/{name}", 303)


def _minimum(text: str) -> int | None:
    if not text.strip():
        return None
    if not text.strip().isdecimal() or int(text) < 1:
        raise InputError(f"{text!r} hospitals: give a whole number, or leave it empty for all of them")
    return int(text)


@router.post("/federation/hospitals")
def invite(request: Request, user: Operator, session: Database, name: Annotated[str, Form(max_length=60)]) -> Response:
    """Invite a hospital and download its kit, to be sent over a channel that both sides trust."""
    archive = hospitals.invite(request.app.state.settings, name)
    record(session, user, "hospital.invite", hospital=name)
    disposition = {"content-disposition": f'attachment; filename="{name}.kit"'}
    return Response(archive, media_type="application/zip", headers=disposition)


@router.post("/federation/hospitals/{name}/revoke")
def revoke(request: Request, name: str, user: Operator, session: Database) -> Response:
    """Revoke a hospital: its node can no longer connect."""
    hospitals.federation(request.app.state.settings).revoke(name)
    record(session, user, "hospital.revoke", hospital=name)
    return RedirectResponse("/federation", 303)


@router.post("/federation/schedules")
def add_schedule(
    request: Request,
    user: Operator,
    session: Database,
    plan: Annotated[str, Form(max_length=80)],
    every_days: Annotated[int, Form(ge=1, le=366)],
    first_at: Annotated[LocalMoment, Form()],
    site: Annotated[list[str] | None, Form()] = None,
    minimum_sites: Annotated[str, Form(max_length=4)] = "",
) -> Response:
    """Start a plan at a fixed interval of days."""
    first = first_at if first_at.tzinfo else first_at.replace(tzinfo=UTC)
    settings, minimum = request.app.state.settings, _minimum(minimum_sites)
    added = schedule.add(session, settings, plan, every_days, first, user.name, site or [], minimum)
    record(session, user, "schedule.add", plan=plan, every_days=every_days, sites=added.sites)
    return RedirectResponse("/federation", 303)


@router.post("/federation/schedules/{identifier}/remove")
def remove_schedule(identifier: Number, user: Operator, session: Database) -> Response:
    """Remove a schedule."""
    removed = schedule.remove(session, identifier)
    record(session, user, "schedule.remove", plan=removed.plan)
    return RedirectResponse("/federation", 303)


@router.get("/federation/runs/{name}")
def run(request: Request, name: str, user: Operator, session: Database) -> Response:
    """The progress of one run; htmx refreshes it."""
    settings = request.app.state.settings
    status = read_status(service.find(settings, name))
    service.collect(request.app.state.sessions, settings)
    partial = request.headers.get("hx-request") == "true"
    values = {"run": status, "charts": {m: spark(h) for m, h in status.history.items()}}
    return render(request, "run_progress.html" if partial else "run.html", values)


def spark(history_: list[dict[str, Any]]) -> dict[str, Any]:
    """Points of a small line over the rounds: training loss, out-of-fold loss, or bytes sent."""
    what, values = _curve(history_)
    top = max(values) or 1.0
    step = 200 / max(len(values) - 1, 1)
    points = " ".join(f"{i * step:.1f},{50 - 46 * v / top:.1f}" for i, v in enumerate(values))
    return {"points": points, "what": what, "last": values[-1]}


def _curve(history_: list[dict[str, Any]]) -> tuple[str, list[float]]:
    # "left_out_loss" is the stored key of the out-of-fold loss.
    if "loss" in history_[-1]:
        return "training loss", [float(event.get("loss", 0.0)) for event in history_]
    if history_[-1].get("left_out_loss"):
        sites = [list(event.get("left_out_loss", {}).values()) or [0.0] for event in history_]
        return "mean out-of-fold loss", [sum(losses) / len(losses) for losses in sites]
    return "bytes sent by sites in each round", [float(event["bytes"]) for event in history_]


@router.post("/federation/runs/{name}/stop")
def stop(request: Request, name: str, user: Operator, session: Database) -> Response:
    """Stop a run."""
    control.stop(service.find(request.app.state.settings, name))
    record(session, user, "run.stop", run=name)
    return RedirectResponse(f"/federation/runs/{name}", 303)


@router.post("/federation/runs/{name}/resume")
def resume(request: Request, name: str, user: Operator, session: Database) -> Response:
    """Resume a stopped run."""
    service.resume(session, request.app.state.settings, name)
    record(session, user, "run.resume", run=name)
    return RedirectResponse(f"/federation/runs/{name}", 303)


@router.get("/bundles/{identifier}")
def bundle(request: Request, identifier: str, user: Operator, session: Database) -> Response:
    """A bundle compared with the one in service, with the verdicts of the gate."""
    row = session.get(BundleRow, identifier)
    if row is None:
        raise NotFoundError(f"bundle {identifier}")
    current = latest(session)
    registry = request.app.state.bundle
    shown = registry.open(identifier)
    serving = registry.open(current.bundle_id) if current else None
    verdicts = []
    if serving is not None and serving.identifier != identifier:
        verdicts = judge(shown.manifest, serving.manifest, GatePlan(**shown.manifest["plan"]["gate"]))
    values = {"row": row, "shown": shown, "serving": serving, "verdicts": verdicts}
    return render(request, "bundle.html", values)


@router.post("/bundles/{identifier}/promote")
def promote(
    request: Request, identifier: str, user: Operator, reason: Annotated[str, Form(max_length=400)] = ""
) -> Response:
    """Put a bundle in service."""
    request.app.state.workers.run(jobs.promote, user, identifier, reason)
    return RedirectResponse("/federation", 303)


@router.post("/bundles/roll-back")
def roll_back(request: Request, user: Operator, reason: Annotated[str, Form(max_length=300)] = "") -> Response:
    """Put the previous bundle back in service."""
    request.app.state.workers.run(jobs.roll_back, user, reason)
    return RedirectResponse("/federation", 303)
