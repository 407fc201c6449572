"""One form of error: RFC 9457 problem details for the API, and the same text as a page for people."""

import errno
import logging
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.errors import BundleError, FetalHealthError, InputError

_log = logging.getLogger(__name__)
# What drivers say -> what we say.
STORAGE = {
    "locked": "The database is locked by another program",
    "full": "The disk is full",
    "readonly": "The database cannot be written",
    "no space": "The disk is full",
    "disk i/o": "The disk cannot be read or written",
}
UNEXPECTED = "An unexpected error occurred; nothing was stored. The log has the details."
SESSION_OVER = "Your session is over. Sign in in another tab, then send this again: nothing that you chose is lost."


class Problem(HTTPException):
    """An error with a title and one plain line of detail."""

    def __init__(self, status: int, detail: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, detail, headers)


class NotFoundError(Problem):
    """The resource does not exist, or this user may not see it."""

    def __init__(self, what: str) -> None:
        super().__init__(404, f"{what} was not found")


class StorageProblem(Problem):
    """The database or the disk cannot be used at the moment; nothing was stored."""

    def __init__(self, reason: str) -> None:
        super().__init__(503, f"{reason}. Nothing was stored; try again in a moment.", headers={"Retry-After": "5"})


class TooMuchError(InputError):
    """A request takes more time or memory than it may."""


def of_storage(error: Exception) -> Exception:
    """The problem where storage is locked, full or away; any other error as it is."""
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EROFS}:
        return StorageProblem("The disk is full or cannot be written")
    if isinstance(error, PoolTimeoutError):
        return StorageProblem("The database has too many requests")
    if not isinstance(error, OperationalError | InterfaceError):
        return error
    words = str(error.orig).lower()
    for sign, reason in STORAGE.items():
        if sign in words:
            return StorageProblem(reason)
    return StorageProblem("The database cannot be reached")


class SignInNeededError(Problem):
    """The request has neither a live session nor a valid token."""

    def __init__(self) -> None:
        super().__init__(401, "Sign in, or send a valid API token.", headers={"WWW-Authenticate": "Bearer"})


class PasswordChangeNeededError(Problem):
    """The password was chosen by somebody else: nothing is done before it is changed."""

    def __init__(self) -> None:
        super().__init__(403, "Change your password first: somebody else chose it.")


def wants_json(request: Request) -> bool:
    """True for the API, the probes and every client that does not ask for HTML."""
    return request.url.path.startswith("/api/") or "text/html" not in request.headers.get("accept", "")


def problem(request: Request, status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """The response for one error, as JSON or as a page."""
    title = HTTPStatus(status).phrase
    by_script = request.headers.get("hx-request") == "true"
    if wants_json(request) and not by_script:
        body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "instance": request.url.path}
        return JSONResponse(body, status, headers, media_type="application/problem+json")
    from app.pages import render

    values = {"error": detail} if by_script else {"title": title, "status": status, "detail": detail}
    page = render(request, "check.html" if by_script else "error.html", values, status)
    page.headers.update(headers or {})
    return page


def _answer(request: Request, error: HTTPException) -> Response:
    return problem(request, error.status_code, str(error.detail), dict(error.headers or {}))


def install(app: FastAPI) -> None:
    """Register the handlers of all expected errors, and one for the unexpected."""

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> Response:
        by_script = request.headers.get("hx-request") == "true"
        if error.status_code == 401 and by_script:
            return problem(request, 401, SESSION_OVER)
        if error.status_code == 401 and not wants_json(request):
            return RedirectResponse(f"/sign-in?next={request.url.path}", 303)
        if isinstance(error, PasswordChangeNeededError) and not wants_json(request) and not by_script:
            return RedirectResponse("/account", 303)
        return _answer(request, error)

    @app.exception_handler(RequestValidationError)
    def _validation(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part not in {"body", "query", "path"})
        return problem(request, 422, f"{where}: {first['msg']}" if where else str(first["msg"]))

    @app.exception_handler(InputError)
    def _input(request: Request, error: InputError) -> Response:
        return problem(request, 422, str(error))

    @app.exception_handler(BundleError)
    def _bundle(request: Request, error: BundleError) -> Response:
        return problem(request, 503, f"No bundle can be used: {error}")

    @app.exception_handler(FetalHealthError)
    def _other(request: Request, error: FetalHealthError) -> Response:
        return problem(request, 409, str(error))


class Unexpected:
    """Answers unexpected errors in the usual form, and keeps the connection; the log has the details."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        started = False

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, noted)
        except Exception as error:
            if started or scope["type"] != "http":
                raise
            request, translated = Request(scope), of_storage(error)
            if isinstance(translated, Problem):
                answer = _answer(request, translated)
            else:
                _log.exception("unexpected error at %s", scope["path"])
                answer = problem(request, 500, UNEXPECTED)
            await answer(scope, receive, noted)
