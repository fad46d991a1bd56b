"""One client's connection: how long the server waits for it, and how it ends with its process."""

import asyncio
import threading
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api import limits
from api.telemetry.metrics import SLOW_CLIENTS


class PatientConnection(HttpToolsProtocol):
    """A connection of uvicorn's with limits on what it waits for and what it keeps.

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

    def connection_lost(self, exc: Exception | None) -> None:
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
        super().on_headers_complete()

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

    def _refuse(self, status: int, message: str) -> None:
        """Close the connection, with an answer if no client can take it for another request's.

        A handler that waits for the body learns that the client has gone.
        """
        in_between = self.pipeline or (
            self.cycle is not None
            and self.cycle.response_started
            and not self.cycle.response_complete
        )
        if not in_between:
            body = orjson.dumps({self._error_name(): message})
            head = b"content-type: application/json\r\nconnection: close\r\ncontent-length: "
            self.transport.write(STATUS_LINE[status] + head + b"%d\r\n\r\n" % len(body) + body)
        self.transport.close()

    def _error_name(self) -> str:
        scope: dict[str, Any] = {**self.scope}
        return "error" if scope.get("path", "").startswith("/v2/") else "detail"


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
