"""Jinja2 environment and rendering: every page gets the user, the CSRF token and the banner."""

from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from app.patients.ages import format_age

BANNER = "Research prototype. Not a medical device. Not for patient care."


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The templates of the installed package."""
    templates = Environment(
        loader=FileSystemLoader(str(files("templates"))), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    templates.filters["age"] = format_age
    templates.filters["share"] = share
    templates.filters["moment"] = lambda value: value.strftime("%d %b %Y %H:%M UTC") if value else "-"
    templates.globals["banner"] = BANNER
    templates.globals["asset"] = asset
    return templates


def share(probability: float | None) -> str:
    """A probability with two decimals and no leading zero; never a plain 0 or 1."""
    if probability is None:
        return "-"
    if probability < 0.005:
        return "<.01"
    return ">.99" if probability > 0.995 else f"{probability:.2f}".lstrip("0")


@lru_cache(maxsize=32)
def asset(path: str) -> str:
    """Address of a static file with a hash of its content."""
    content = Path(str(files("app"))) / "static" / path
    mark = sha256(content.read_bytes()).hexdigest()[:8] if content.is_file() else "missing"
    return f"/static/{path}?{mark}"


def render(request: Request, name: str, context: dict[str, Any] | None = None, status: int = 200) -> HTMLResponse:
    """Render one page for the user of the request."""
    user = getattr(request.state, "user", None)
    values = {"user": user, "csrf_token": user.csrf_token if user else "", "path": request.url.path, **(context or {})}
    return HTMLResponse(environment().get_template(name).render(values), status)
