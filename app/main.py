"""The FastAPI application."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI, Request
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from app import api, errors, probes
from app.accounts import routes as accounts
from app.assessments import routes as assessments
from app.audit import routes as audit
from app.database import make_engine, session_factory, unit_of_work
from app.jobs import routes as jobs
from app.pages import BANNER
from app.patients import routes as patients
from app.registry.service import BundleInService, ensure_shipped
from app.security import BodyLimit, SecurityHeaders
from app.settings import Settings
from app.settings import settings as read_settings
from models.errors import BundleError


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the application; the schema must be in place (`fetal-health migrate`)."""
    chosen = settings or read_settings()
    engine = make_engine(chosen.database)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with unit_of_work(app.state.sessions) as session:
            ensure_shipped(session)
        try:
            with unit_of_work(app.state.sessions) as session:
                app.state.bundle.get(session)
        except BundleError:
            pass  # readiness says so, and no assessment is made
        yield
        engine.dispose()

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
    app.state.engine = engine
    app.state.sessions = session_factory(engine)
    app.state.bundle = BundleInService()
    app.state.metrics = probes.Metrics()
    errors.install(app)
    for module in (api, assessments, patients, accounts, audit, jobs, probes):
        app.include_router(module.router)
    static = Path(str(files("app"))) / "static"
    app.mount("/static", StaticFiles(directory=static), name="static")

    @app.middleware("http")
    async def measure(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        started = time.perf_counter()
        response = await call_next(request)
        route = getattr(request.scope.get("route"), "path", "none")
        request.app.state.metrics.requests.labels(request.method, route, str(response.status_code)).inc()
        request.app.state.metrics.seconds.labels(route).observe(time.perf_counter() - started)
        return response

    app.add_middleware(GZipMiddleware, minimum_size=2048)
    app.add_middleware(BodyLimit, max_bytes=chosen.max_upload_mb * 2**20)
    app.add_middleware(SecurityHeaders)
    return app
