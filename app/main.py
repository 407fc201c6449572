"""The FastAPI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles

from app import api, errors, probes
from app.accounts import administration
from app.accounts import routes as accounts
from app.accounts.passwords import Queue
from app.assessments import routes as assessments
from app.audit import routes as audit
from app.audit.chain import Sealer
from app.evidence import routes as evidence
from app.monitoring import routes as monitoring
from app.pages import BANNER
from app.patients import routes as patients
from app.retraining import routes as retraining
from app.retraining.schedule import Clock
from app.schema import require_whole
from app.security import BodyLimit, Hosts, SecurityHeaders
from app.settings import Settings
from app.settings import settings as read_settings
from app.transactions import attempt
from app.workers import Workers, settle
from app.workplace import Workplace


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the application.

    Raises
    ------
    FetalHealthError
        The database's schema is not this release's (`fetal-health migrate` brings an older one up).
    """
    chosen = settings or read_settings()
    place = Workplace(chosen)
    require_whole(place.engine)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        attempt(place.sessions, place.bundles.ensure_shipped)
        clock = Clock(app.state.workers, place)
        clock.start()
        app.state.sealer.start()
        if chosen.workers:
            settle()
        yield
        clock.stop()
        app.state.sealer.stop()
        app.state.passwords.close()
        app.state.workers.close()
        place.engine.dispose()

    app = FastAPI(
        title="Fetal-Health",
        version="1",
        description=BANNER,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
    )
    app.state.settings = chosen
    app.state.engine = place.engine
    app.state.sessions = place.sessions
    app.state.bundle = place.bundles
    app.state.workers = Workers(place)
    app.state.passwords = Queue()
    app.state.sealer = Sealer(place.sessions, chosen.audit_heads)
    app.state.metrics = probes.Metrics()
    errors.install(app)
    record = (assessments, patients, audit, evidence, monitoring)
    for module in (api, *record, accounts, administration, retraining, probes):
        app.include_router(module.router)
    static = Path(str(files("app"))) / "static"
    app.mount("/static", StaticFiles(directory=static), name="static")

    app.add_middleware(errors.Unexpected)
    app.add_middleware(GZipMiddleware, minimum_size=2048, compresslevel=2)
    app.add_middleware(probes.Measure)
    app.add_middleware(BodyLimit, max_bytes=chosen.max_upload_mb * 2**20)
    app.add_middleware(Hosts, names=(chosen.host, *chosen.host_names))
    app.add_middleware(SecurityHeaders, tls=chosen.secure_cookies)
    return app
