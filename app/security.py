"""Names of the host, security headers and the limit on request bodies, as plain ASGI middleware."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import Problem, problem

# Nothing is loaded from outside and nothing inline runs. `data:` is for Pico's form icons.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


# With TLS: the browser asks for nothing without it for a year.
STRICT_TRANSPORT = "max-age=31536000"
LOCAL = ("localhost", "127.0.0.1", "[::1]")


class Hosts:
    """Answers only under the names of this installation: no address of ours is ever made from another's `Host`.

    Parameters
    ----------
    names : tuple of str
        Beside those of this machine itself; ``*`` is any.
    """

    def __init__(self, app: ASGIApp, names: tuple[str, ...]) -> None:
        self.app = app
        self.names = frozenset(name.lower() for name in (*LOCAL, *names))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http" or "*" in self.names or self._name(scope) in self.names:
            await self.app(scope, receive, send)
            return
        from starlette.requests import Request

        line = "This application is not served under that name: add it to FETAL_HEALTH_HOSTS."
        await problem(Request(scope), 400, line)(scope, receive, send)

    @staticmethod
    def _name(scope: Scope) -> str:
        """The host without its port."""
        host = Headers(scope=scope).get("host", "").lower()
        name, colon, port = host.rpartition(":")
        return name if colon and port.isdecimal() else host


class SecurityHeaders:
    """Adds the headers; only static files may be cached.

    Parameters
    ----------
    tls : bool
        Browsers reach the application over TLS.
    """

    def __init__(self, app: ASGIApp, *, tls: bool = False) -> None:
        self.app = app
        self.headers = HEADERS | ({"Strict-Transport-Security": STRICT_TRANSPORT} if tls else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers[name] = value
                static = scope["path"].startswith("/static/")
                headers["Cache-Control"] = "public, max-age=86400" if static else "no-store"
            await send(message)

        await self.app(scope, receive, with_headers)


class BodyLimit:
    """Stops reading a request body as soon as it exceeds the limit."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = Problem(413, f"The upload is larger than {self.max_bytes // 2**20} MB.")
        length = Headers(scope=scope).get("content-length", "")
        if length.isdigit() and int(length) > self.max_bytes:
            from starlette.requests import Request

            await problem(Request(scope), 413, str(refusal.detail))(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.max_bytes:
                raise refusal
            return message

        await self.app(scope, counted, send)
