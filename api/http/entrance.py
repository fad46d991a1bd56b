"""What a request passes before everything else, if settings ask for it; else nothing does.

The client behind a proxy is found, the root path is taken away, the host name is checked, and
browsers are told which sites may call.
"""

import ipaddress
from collections.abc import Callable, Iterable

from fastapi import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import limits
from api.http import envelope, errors
from api.http.envelope import HeaderLines
from api.http.forwarded import Forwarded
from api.http.responses import close_if_unread
from shared import access
from shared.errors import HostUnknown
from shared.settings import Settings

_LOOPBACK = "localhost"
"""Always allowed, as every address is: no other site can have these names, and those who look after
this process use them."""

_OPEN_TO_EVERY_HOST = ("/health/", "/v2/health/")
"""Probes name the address of a container."""

_PREFLIGHT = (
    (b"access-control-allow-methods", b"DELETE, GET, HEAD, POST, PUT"),
    (
        b"access-control-allow-headers",
        b"Authorization, Content-Type, Inference-Header-Content-Length, Last-Event-ID, "
        b"Traceparent, Tracestate, X-API-Key, X-Request-ID, X-Requested-By",
    ),
    (b"access-control-max-age", b"600"),
)
_EXPOSED = (
    b"access-control-expose-headers",
    b"Allow, Inference-Header-Content-Length, Location, Retry-After, WWW-Authenticate, "
    b"X-Model-Version, X-Request-ID",
)


def with_entrance(app: ASGIApp, settings: Settings) -> ASGIApp:
    """Return the application behind what settings ask for: none of it costs a request otherwise."""
    app = _sites(app, settings) or app
    if settings.root_path:
        app = _Root(app, settings.root_path)
    if settings.trusted_proxies:
        app = Forwarded(app, access.listed(settings.trusted_proxies))
    return app


def leaves_alone(settings: Settings) -> Callable[[str, HeaderLines], bool]:
    """Return the function that says whether the entrance passes on a POST request as it is, and its
    answer as well; by its path and headers."""
    # A root path is none of the API's own, and the proxies' client is only logged with changes.
    sites = _sites(_nothing, settings)
    return lambda path, headers: sites is None or sites.leaves_alone(path, headers)


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """Stand where no application is called."""


def _sites(app: ASGIApp, settings: Settings) -> "_Sites | None":
    if not (settings.allowed_hosts or settings.cors_origins):
        return None
    hosts = access.listed(settings.allowed_hosts)
    known = [*hosts, _LOOPBACK, settings.host.lower()] if hosts else []
    return _Sites(app, known, access.listed(settings.cors_origins))


class _Root:
    """Takes the root path away, if the proxy has not done so."""

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app = app
        self._root = root_path
        self._below = f"{root_path}/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope.get("path", "")
        if path == self._root:
            # The links of the page are relative.
            await _answer(RedirectResponse(self._below, 308), scope, receive, send)
            return
        if path.startswith(self._below):
            scope = {**scope, "path": path[len(self._root) :]}
        await self._app(scope, receive, send)


class _Sites:
    """Refuses unknown host names, and answers what browsers ask for the pages of other sites."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str], origins: Iterable[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.encode() for host in hosts)
        self._domains = tuple(name[1:] for name in self._hosts if name.startswith(b"*."))
        self._origins = frozenset(origin.encode() for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        origin = _origin(scope["headers"])
        lines = self._lines(origin)
        if lines:
            send = _with_lines(send, lines)
        unknown = self._unknown_host(scope["path"], scope["headers"])
        if unknown is not None:
            response = errors.refusal(Request(scope), HostUnknown(unknown))
            close_if_unread(response, scope)
            await _answer(response, scope, receive, send)
        elif self._is_preflight(scope, origin):
            response = Response(status_code=204)
            response.raw_headers += _PREFLIGHT
            await _answer(response, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def leaves_alone(self, path: str, headers: HeaderLines) -> bool:
        """Return whether a POST request is passed on as it is, and its answer as well."""
        return not self._lines(_origin(headers)) and self._unknown_host(path, headers) is None

    def _unknown_host(self, path: str, headers: HeaderLines) -> str | None:
        """Return what is wrong with the host that a request names; None if the host is allowed."""
        if not self._hosts or b"*" in self._hosts or path.startswith(_OPEN_TO_EVERY_HOST):
            return None
        # More than one is not HTTP, and who reads which of them is anybody's guess.
        given = [value for name, value in headers if name == b"host"] or [b""]
        for host in map(_name, given):
            is_known = host in self._hosts or host.endswith(self._domains)
            if not is_known and not _is_address(host):
                shown = host[: limits.NAME_CHARACTERS].decode("latin-1")
                return (
                    f"expected a host of LIFEBOAT_ALLOWED_HOSTS, and the request names {shown!r}; "
                    "ask by a name that is allowed, or add this one"
                )
        return None

    def _lines(self, origin: bytes) -> HeaderLines:
        if b"*" in self._origins:
            return [(b"access-control-allow-origin", b"*"), _EXPOSED] if origin else []
        if not self._origins:
            return []
        vary = (b"vary", b"Origin")
        if origin not in self._origins:
            return [vary]
        return [vary, (b"access-control-allow-origin", origin), _EXPOSED]

    def _is_preflight(self, scope: Scope, origin: bytes) -> bool:
        return (
            scope["method"] == "OPTIONS"
            and origin != b""
            and (origin in self._origins or b"*" in self._origins)
            and any(name == b"access-control-request-method" for name, _ in scope["headers"])
        )


def _origin(headers: HeaderLines) -> bytes:
    return next((value for name, value in headers if name == b"origin"), b"")


def _name(host: bytes) -> bytes:
    """Return a host without its port: `[::1]` of `[::1]:8000`."""
    host = host.strip().lower()
    name = host[: host.find(b"]") + 1] if host.startswith(b"[") else host.partition(b":")[0]
    return name.rstrip(b".")


def _is_address(host: bytes) -> bool:
    try:
        ipaddress.ip_address(host.decode("latin-1").strip("[]"))
    except ValueError:
        return False
    return True


def _with_lines(send: Send, lines: HeaderLines) -> Send:
    async def send_with_lines(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *lines]
        await send(message)

    return send_with_lines


async def _answer(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    exchange = envelope.begin(scope["method"], scope["headers"], scope.get("client"))
    try:
        response.raw_headers += envelope.lines_for_data(exchange)
        exchange.status = response.status_code
        await response(scope, receive, send)
    finally:
        envelope.end(exchange)
