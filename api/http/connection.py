"""One client's connection, and how it ends when its process is asked to stop."""

import asyncio
import threading

from api.http.patience import PatientConnection

_LAST_REQUEST_SECONDS = 0.5


class Connection(PatientConnection):
    """uvicorn's own, without its loss of requests that cross with the closing of a connection.

    uvicorn closes idle connections at once. A client that keeps a connection busy is idle for an
    instant after each answer, and what it sends in the next is lost. Here every answer says
    `Connection: close` from the signal on, and an idle connection may bring one more request for
    half a second. Left is the client that sends after a longer pause, in the moment of closing.
    """

    @property
    def _stopping(self) -> bool:
        flag: threading.Event = self.app_state["stopping"]
        return flag.is_set()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self._stopping:
            # Accepted before the signal, and made after uvicorn went through its connections.
            self.shutdown()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self._stopping and self.cycle is not None:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """Called by uvicorn when it has stopped listening."""
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(_LAST_REQUEST_SECONDS, super().shutdown)
        else:
            super().shutdown()
