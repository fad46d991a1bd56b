"""One client's connection: what it speaks, how long it is waited for, how it ends."""

import asyncio
import resource
import threading
from collections import deque
from typing import Any

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api import limits
from api.telemetry.metrics import SHED, SLOW_CLIENTS, Cap

_NOWHERE: Any = deque(maxlen=0)
"""Keeps nothing that is appended."""


def _most_connections() -> int:
    """Return how many connections this process may have, and still open the files that it needs."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return limits.CONNECTIONS
    return min(limits.CONNECTIONS, files - limits.OTHER_FILES)


class PlainConnection(HttpToolsProtocol):
    """A connection of uvicorn's that speaks HTTP/1 and nothing else.

    The parser stops after the head of a request that asks for another protocol. uvicorn goes on
    without the body of that request, and parses the body as the next request. Here such a request
    is parsed again, without what it asked for: RFC 9110 lets a server ignore `Upgrade`.
    """

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as stop:
                self._read_on(memoryview(data)[stop.args[0] :])
        except httptools.HttpParserError:
            message = "Invalid HTTP request received."
            self.logger.warning(message)
            self.send_400_response(message)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        # The parser appends trailers as if they were headers of the request.
        if not self.parser.should_upgrade():
            self.headers = _NOWHERE

    def _should_upgrade(self) -> bool:
        # uvicorn then leaves the request alone, and asks nobody for an answer yet.
        return True

    def _read_on(self, rest: memoryview) -> None:
        """Parse what follows the head of a request that asked for another protocol."""
        while True:
            if self.scope["method"] == "CONNECT":
                self._refuse(
                    400, "CONNECT asks for a tunnel, and this server is not a proxy; send a request"
                )
                return
            head = self._head_without_upgrade()
            self.parser = httptools.HttpRequestParser(self)
            # As uvicorn's own parser is set.
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            self.parser.feed_data(head)
            try:
                self.parser.feed_data(rest)
                return
            except httptools.HttpParserUpgrade as stop:
                rest = rest[stop.args[0] :]

    def _head_without_upgrade(self) -> bytes:
        version = self.scope["http_version"].encode()
        lines = [b"%s %s HTTP/%s" % (self.scope["method"].encode(), self.url, version)]
        lines += [b"%s: %s" % line for line in self.scope["headers"] if line[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def _refuse(self, status: int, message: str) -> None:
        """Close the connection, with an answer if no client can take it for another request's.

        A handler that waits for the body learns that the client has gone.
        """
        cycle = self.cycle
        in_between = self.pipeline or (
            cycle is not None
            and not cycle.response_complete
            and (cycle.response_started or cycle.scope is not self.scope)
        )
        if not in_between:
            body = orjson.dumps({self._error_name(): message})
            head = b"content-type: application/json\r\nconnection: close\r\ncontent-length: "
            self.transport.write(STATUS_LINE[status] + head + b"%d\r\n\r\n" % len(body) + body)
        self.transport.close()

    def _error_name(self) -> str:
        # None if no request of the connection was read here.
        scope: dict[str, Any] = {**(self.scope or {})}
        return "error" if "/v2/" in f"{scope.get('path', '')}/" else "detail"


class PatientConnection(PlainConnection):
    """A connection with limits on what it waits for and what it keeps.

    uvicorn waits for ever for the rest of a request. It keeps a head of any length, and any number
    of requests that are sent before the last request is answered. A look at each connection now and
    then costs a request nothing, as a timer per request would not.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_bytes = 0
        self._looks = 0
        self._seen: tuple[object, int] | None = None
        self._look_later()
        _silent[self] = None
        if len(self.connections) > _most_connections():
            self._make_room()

    def _make_room(self) -> None:
        """Close the oldest connection that never brought a request; it can be this one."""
        SHED.labels(Cap.CONNECTIONS).inc()
        oldest = next(iter(_silent))
        del _silent[oldest]
        oldest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        _silent.pop(self, None)
        self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        cycle = self.cycle
        super().data_received(data)
        if self.cycle is not cycle or (cycle is not None and cycle.body):
            self._head_bytes = 0
            return
        # A part of a head; or trailers or extensions of chunks, which nobody sees the end of.
        self._head_bytes += len(data)
        if self._head_bytes > limits.HEAD_BYTES and not self.transport.is_closing():
            self._refuse(
                431,
                f"the head of a request may have {limits.HEAD_BYTES} bytes, and this head has "
                "more; send fewer or shorter headers",
            )

    def on_headers_complete(self) -> None:
        if len(self.pipeline) >= limits.PIPELINED_REQUESTS:
            # The parser stops at this error, and uvicorn closes the connection.
            raise ValueError("too many requests were sent before the first was answered")
        if self.cycle is None:
            self.note_request()
        super().on_headers_complete()

    def note_request(self) -> None:
        """Note that the connection has brought a request."""
        _silent.pop(self, None)

    def _look_later(self) -> None:
        self._timer = self.loop.call_later(limits.LOOK_SECONDS, self._look)

    def _look(self) -> None:
        if self.transport.is_closing():
            # The connection was asked to close, but its client does not take what is left.
            self.transport.abort()
            return
        waiting = self._waits_for()
        seen, self._seen = self._seen, waiting
        if waiting is None or seen is None or waiting[0] is not seen[0] or waiting[1] != seen[1]:
            self._looks = 0
        self._looks += 1
        if waiting is None or self._looks < limits.LOOKS:
            self._look_later()
            return
        SLOW_CLIENTS.inc()
        if waiting[1]:
            self.transport.abort()
        elif self.scope is None:
            self.transport.close()
        else:
            seconds = (limits.LOOKS - 1) * limits.LOOK_SECONDS
            self._refuse(408, f"the request was not whole after {seconds:g} s; send it faster")

    def _waits_for(self) -> tuple[object, int] | None:
        """Return what the client is to do next, the same value as long as nothing moves."""
        unsent = self.transport.get_write_buffer_size()
        if unsent:
            return self.cycle, unsent
        # Set while the connection is kept open between two requests; uvicorn ends that wait.
        if self.timeout_keep_alive_task is not None:
            return None
        if self.cycle is None or self.cycle.response_complete or self.cycle.more_body:
            return self.scope, 0
        return None


_silent: dict[PatientConnection, None] = {}
"""Connections of this process that have brought no request, the oldest first."""


class Connection(PatientConnection):
    """A connection that loses no request while its process stops.

    uvicorn closes idle connections at once. A client that keeps a connection busy is idle for an
    instant after each answer, and uvicorn loses what the client sends in the next. Here every
    answer says `Connection: close` from the signal on, and an idle connection may bring one more
    request for half a second. Only a client that sends after a longer pause, in the moment of
    closing, still loses a request.
    """

    @property
    def _stopping(self) -> bool:
        flag: threading.Event = self.app_state["stopping"]
        return flag.is_set()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self._stopping:
            # uvicorn accepted it before the signal, and went through its connections before now.
            self.shutdown()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self._stopping and self.cycle is not None:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """Close an idle connection after a pause; uvicorn calls this when it stops listening."""
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(limits.LAST_REQUEST_SECONDS, super().shutdown)
        else:
            super().shutdown()
