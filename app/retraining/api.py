"""REST API of retraining runs, for operators."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from app.accounts.guards import Operator
from app.audit.store import record
from app.idempotency import Key, once
from app.retraining import service as retraining
from app.sessions import Database
from federated.run import control
from federated.run.status import RunStatus, read_status

router = APIRouter(prefix="/api/v1")


class JobRequest(BaseModel):
    """Which shipped plan to run."""

    model_config = ConfigDict(extra="forbid")
    plan: str = Field(min_length=1, max_length=80)
    sites: list[str] = Field(default=[], max_length=1000, description="Hospitals; none: simulated on this machine.")
    minimum_sites: int | None = Field(None, ge=1, description="Fewest hospitals with which it goes on; none: all.")


@router.get("/jobs", tags=["jobs"])
def list_jobs(request: Request, user: Operator) -> list[RunStatus]:
    """All retraining runs, newest first."""
    return retraining.collect(request.app.state.sessions, request.app.state.settings)


@router.post("/jobs", status_code=201, tags=["jobs"])
def start_job(request: Request, body: JobRequest, user: Operator, key: Key = None) -> RunStatus:
    """Start a shipped plan, on this machine or between hospitals that have joined."""
    settings = request.app.state.settings

    def start(session: Session) -> str:
        name = retraining.start(session, settings, body.plan, body.sites, body.minimum_sites)
        record(session, user, "run.start", plan=body.plan, run=name, sites=sorted(body.sites))
        return name

    name, _ = once(request.app.state.sessions, user, key, "job" + body.model_dump_json(), start)
    return read_status(retraining.find(settings, name))


@router.get("/jobs/{name}", tags=["jobs"])
def get_job(request: Request, name: str, user: Operator) -> RunStatus:
    """The status of one run."""
    return read_status(retraining.find(request.app.state.settings, name))


@router.post("/jobs/{name}/stop", tags=["jobs"])
def stop_job(request: Request, name: str, user: Operator, session: Database) -> RunStatus:
    """Ask a run to stop."""
    path = retraining.find(request.app.state.settings, name)
    control.stop(path)
    record(session, user, "run.stop", run=name)
    return read_status(path)
