"""What every request passes, whichever way it is answered: its id, log line, span and count.

`begin` and `end` stand around a request, and need no ASGI application inside.
"""

import itertools
import logging
import re
import secrets
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack

from api.telemetry.metrics import ANSWERED
from shared.jobs.job import JOB_ID_PATTERN, REQUESTER_PATTERN
from shared.runtime import log_context, tracing

HeaderLines = list[tuple[bytes, bytes]]
Client = tuple[str, int] | None
"""The address and the port at the other end of the connection, if it has any."""

_ID_HEADER = b"x-request-id"
_REQUESTER_HEADER = b"x-requested-by"
_SOUND_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")

# A random part for each process, and a number: a random id for each request would cost more.
_NEW_ID = b"%s%%08x" % secrets.token_hex(6).encode()
_numbers = itertools.count(1)

_NOSNIFF = (b"x-content-type-options", b"nosniff")
"""Keeps a browser from taking text that a client sent for another type than the answer states."""
_FOR_PAGES = (
    _NOSNIFF,
    # Keeps other sites from showing a page of ours inside theirs, where people would click on it.
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
)
"""There are no CORS headers: a page of another site can make a browser send us a plain POST, and
cannot read the answer."""

CHANGES = ("PUT", "DELETE")
"""The methods whose calls are logged, with who made them."""

log = logging.getLogger(__name__)


class Exchange:
    """One request, from the reading of its head to the end of its answer."""

    __slots__ = ("_started", "error", "job_id", "method", "request_id", "route", "span", "status")

    def __init__(self, method: str, request_id: bytes, started: float | None = None) -> None:
        self.method = method
        self.request_id = request_id
        self.route: str | None = None
        """The template of the route, such as /jobs/{job_id}; None if no route matches."""
        self.status = 500
        self.error: Exception | None = None
        """A bug that was answered with 500, to be logged with its traceback."""
        self.job_id = ""
        """The job that the path names, as the client wrote it."""
        self.span: _OpenSpan | None = None
        self._started = started or time.perf_counter()


BEGAN = "lifeboat.began"
"""In the state of a scope: when the request began, if that was before its scope was made."""


def begin(
    method: str,
    headers: Iterable[tuple[bytes, bytes]],
    client: Client = None,
    began: float | None = None,
) -> Exchange:
    """Give a request its id, here and in all that is logged from here on, and start its clock.

    What is logged of a call that changes something also says who made the call. `began` is when the
    request did, if that was not now.
    """
    request_id = given_id(headers) or new_id()
    log_context.request_id.set(request_id.decode())
    # Always: a request that was sent before the last answer inherits the context of that answer.
    log_context.caller.set(_caller(headers, client) if method in CHANGES else None)
    exchange = Exchange(method, request_id, began)
    if tracing.is_on():
        exchange.span = _OpenSpan(method, headers)
    return exchange


def given_id(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """Return the id that a client gives its request; None without a sound one."""
    for name, value in headers:
        if name == _ID_HEADER and _SOUND_ID.fullmatch(value):
            return value
    return None


def new_id() -> bytes:
    """Return an id for a request that brought none."""
    return _NEW_ID % next(_numbers)


def note_key(key: str) -> None:
    """Note which of several API keys has opened, for what is logged of a call that changes
    something."""
    caller = log_context.caller.get()
    if key and caller is not None:
        caller["api_key"] = key


def lines_for_data(exchange: Exchange) -> HeaderLines:
    """Return the header lines of an answer that holds data alone."""
    return [_NOSNIFF, (_ID_HEADER, exchange.request_id)]


def lines_for_pages(exchange: Exchange) -> HeaderLines:
    """Return the header lines of an answer that a browser may show as a page."""
    return [*_FOR_PAGES, (_ID_HEADER, exchange.request_id)]


def end(exchange: Exchange) -> None:
    """Log, trace and count a request that has been answered."""
    _log(exchange)
    if exchange.span is not None:
        exchange.span.end(exchange)
    series = ANSWERED.series(exchange.method, exchange.route or "none", exchange.status)
    series.note(time.perf_counter() - exchange._started)


def _log(exchange: Exchange) -> None:
    """Log a call that changes something or that went wrong.

    A 503 did not go wrong: too much is in progress, there is no model yet, or Redis does not
    answer, which `errors` logs.
    """
    wrong = exchange.status >= 500 and exchange.status != 503
    if not wrong and exchange.method not in CHANGES:
        return
    # The template, because a path is whatever the client likes.
    route = exchange.route or "no route"
    if exchange.error is not None:
        log.error("%s %s failed", exchange.method, route, exc_info=exchange.error)
        # Its traceback has frames that have the exchange: a reference cycle, with the body in it.
        exchange.error = None
        return
    known = {"job_id": exchange.job_id} if JOB_ID_PATTERN.fullmatch(exchange.job_id) else {}
    line = "%s %s: %d", exchange.method, route, exchange.status
    if 400 <= exchange.status < 500:
        # A place of its own: many refused calls must not keep a change that was made off the log.
        log.info(*line, extra=known)
    else:
        log.log(logging.WARNING if wrong else logging.INFO, *line, extra=known)


def _caller(headers: Iterable[tuple[bytes, bytes]], client: Client) -> dict[str, str]:
    caller = {} if client is None else {"client": client[0]}
    given = next((value for name, value in headers if name == _REQUESTER_HEADER), b"")
    requester = given.decode("latin-1")
    if REQUESTER_PATTERN.fullmatch(requester):
        caller["requested_by"] = requester
    return caller


class _OpenSpan:
    """A request's span, below the span of its client if the client has one."""

    def __init__(self, method: str, headers: Iterable[tuple[bytes, bytes]]) -> None:
        given = next((value for name, value in headers if name == b"traceparent"), b"")
        self._opened = ExitStack()
        self._span = self._opened.enter_context(
            tracing.span(
                method,
                kind="server",
                traceparent=given.decode("latin-1"),
                attributes={"http.request.method": method},
            )
        )

    def end(self, exchange: Exchange) -> None:
        """Close the span, with the exception that passes through the caller if there is one."""
        if self._span is not None:
            # The names of OpenTelemetry's conventions.
            if exchange.route is not None:
                self._span.update_name(f"{exchange.method} {exchange.route}")
                self._span.set_attribute("http.route", exchange.route)
            self._span.set_attribute("http.response.status_code", exchange.status)
            self._span.set_attribute("lifeboat.request_id", exchange.request_id.decode())
        self._opened.__exit__(*sys.exc_info())
