"""A connection that answers what the short cut takes, and has all else answered as ever."""

import logging
import time
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from api.http.connection import Connection
from api.http.envelope import BEGAN
from api.short_cut.short_cut import ShortCut, Verdict

_Lines = list[tuple[bytes, bytes]]

log = logging.getLogger(__name__)


class ShortCutConnection(Connection):
    """Offers each request that arrives alone, between two others, to the short cut.

    uvicorn knows nothing of the requests that the short cut takes. What it does after an answer, it
    is asked to do after theirs: to count, and to close the connection that stays silent. A head is
    held back until its body comes, the next look at the connection, or its end.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._short_cut: ShortCut | None = self.app_state.get("short_cut")
        self._in_message = False
        """Whether the parser has read a part of a request."""
        self._is_answering = False
        self._later: list[bytes] = []
        self._head = b""
        """The head of a request whose body is not there yet; the parser has not read it."""
        self._head_came: float | None = None
        self._began: float | None = None
        """When the request began that the parser is about to read, if that was not now."""

    def data_received(self, data: bytes) -> None:
        if self._is_answering or self._later:
            # In the same turn of the event loop: the client did not wait for its answer.
            self._later.append(data)
            self.flow.pause_reading()
            return
        head, started = self._head, self._head_came
        if head:
            self._head, self._head_came = b"", None
            data = head + data
        verdict = self._offer(data, started)
        if verdict is Verdict.HEAD and not head:
            self._head, self._head_came = data, time.perf_counter()
        elif verdict is not Verdict.TAKEN:
            self._parse(data, started)
            return
        self._head_bytes = 0
        self.note_request()

    def _offer(self, data: bytes, started: float | None) -> Verdict:
        if self._short_cut is None or not self._is_between_requests() or self._stopping:
            return Verdict.LEFT
        self._unset_keepalive_if_required()
        # Before: if the batch is full, the answer is there when `take` returns.
        self._is_answering = True
        try:
            verdict = self._short_cut.take(self, data, started)
        # A bug, which must not end the connection: the long way answers.
        except Exception:
            log.exception("the short cut failed")
            verdict = Verdict.LEFT
        if verdict is not Verdict.TAKEN:
            self._is_answering = False
        return verdict

    def _parse(self, data: bytes, began: float | None) -> None:
        self._began = began
        super().data_received(data)
        self._began = None

    def _give_back_the_head(self) -> None:
        """Have the parser read the head of a request, whose body may never come."""
        if self._head:
            head, began = self._head, self._head_came
            self._head, self._head_came = b"", None
            self._parse(head, began)

    def _look(self) -> None:
        if not self.transport.is_closing():
            self._give_back_the_head()
        super()._look()

    def _waits_for(self) -> tuple[object, int] | None:
        # The client waits, and not the server: a busy client is often met in this moment.
        return None if self._is_answering else super()._waits_for()

    def shutdown(self) -> None:
        self._give_back_the_head()
        super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        self._give_back_the_head()
        super().connection_lost(exc)

    def answer(self, lines_and_body: bytes) -> None:
        self._is_answering = False
        if self.transport.is_closing():
            return
        lines = _formatted(self.server_state.default_headers)
        self.transport.write(b"".join([STATUS_LINE[200], lines, lines_and_body]))
        self.on_response_complete()
        self._go_on()

    def go_the_long_way(self, data: bytes) -> bool:
        self._is_answering = False
        if self.transport.is_closing():
            return False
        super().data_received(data)
        self._go_on()
        return True

    def _go_on(self) -> None:
        # Not at once: a batch that is answering its requests must not meet new ones.
        if self._later:
            self.loop.call_soon(self._receive_later)

    def _receive_later(self) -> None:
        later = b"".join(self._later)
        self._later.clear()
        if not self.transport.is_closing():
            self.flow.resume_reading()
            self.data_received(later)

    def _is_between_requests(self) -> bool:
        return (
            not self._in_message
            and (self.cycle is None or self.cycle.response_complete)
            and not self.flow.write_paused
        )

    def on_message_begin(self) -> None:
        self._in_message = True
        super().on_message_begin()
        if self._began is not None:
            self.scope["state"][BEGAN] = self._began

    def on_message_complete(self) -> None:
        self._in_message = False
        super().on_message_complete()


_latest: tuple[_Lines, bytes] = [], b""


def _formatted(lines: _Lines) -> bytes:
    """Return the lines that uvicorn puts before all others: it makes the date once a second."""
    global _latest
    if lines is not _latest[0]:
        _latest = lines, b"".join(b"%s: %s\r\n" % line for line in lines)
    return _latest[1]
