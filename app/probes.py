"""Probes and metrics, and the API reference page."""

import time
from typing import Any

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.accounts.guards import AnyUser, Public
from app.api import schema
from app.errors import NotFoundError
from app.pages import render
from app.readiness import hindrance
from app.transactions import unit_of_work

router = APIRouter(include_in_schema=False)


class Metrics:
    """Counters of one application, for Prometheus; no name or identifier of a patient is in any label."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "fetal_health_requests", "Requests", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram("fetal_health_request_seconds", "Duration", ["route"], registry=self.registry)


class Measure:
    """Counts and times requests by route, as plain ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noted)
        finally:
            metrics = scope["app"].state.metrics
            route = getattr(scope.get("route"), "path", "none")
            metrics.requests.labels(scope["method"], route, str(status)).inc()
            metrics.seconds.labels(route).observe(time.perf_counter() - started)


@router.get("/health/live", dependencies=[Public])
def live() -> dict[str, str]:
    """Say that the process responds."""
    return {"status": "alive"}


@router.get("/health/ready", dependencies=[Public])
def ready(request: Request) -> Response:
    """Say whether database, disk and bundle can be used."""
    state = request.app.state
    reason = hindrance(state.sessions, state.bundle)
    if reason:
        return JSONResponse({"status": "not ready", "reason": reason}, 503, {"Retry-After": "5"})
    with unit_of_work(state.sessions) as session:
        return JSONResponse({"status": "ready", "bundle": state.bundle.in_service(session).identifier})


@router.get("/metrics", dependencies=[Public])
def metrics(request: Request) -> Response:
    """The metrics as Prometheus text, unless the installation closed them."""
    if not request.app.state.settings.metrics:
        raise NotFoundError("the page of metrics")
    return Response(generate_latest(request.app.state.metrics.registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/docs")
def docs(request: Request, user: AnyUser) -> Response:
    """The API reference, from the OpenAPI description, without any outside script."""
    document: dict[str, Any] = schema(request.app)
    return render(request, "api_reference.html", {"document": document})
