"""What one process takes in: how large a body may be, and how much work may be in progress."""

import asyncio

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from api import limits
from api.telemetry import metrics
from shared.errors import BodyTooLarge, Overloaded

_REQUESTS, _BODIES = "requests at once", "large bodies"
# From the start, so that a rate sees the first that is shed.
for cap in (_REQUESTS, _BODIES):
    metrics.SHED.labels(cap)


class Intake:
    """Reads bodies, and says no where a process has enough to do. For one event loop.

    What is capped is work, not connections: a client that is slow or idle holds next to nothing.
    """

    def __init__(self, max_body_bytes: int) -> None:
        self._max_body_bytes = max_body_bytes
        self._small_bytes = min(limits.INLINE_BYTES, max_body_bytes)
        self._held_bytes = 0
        self._turn_bytes = 0

    async def read(self, receive: Receive) -> bytes:
        """The whole body. One that is not small is counted as held until it is released.

        Raises:
            ClientDisconnect: the client left before its request was whole.
            BodyTooLarge, Overloaded: the rest has been discarded, and may still be on its way.
        """
        message = await receive()
        body: bytes = message.get("body", b"")
        # Most come in one message.
        if (
            len(body) <= self._small_bytes
            and not message.get("more_body", False)
            and message["type"] == "http.request"
        ):
            return body
        chunks: list[bytes] = []
        size = 0
        try:
            while True:
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                chunks.append(message.get("body", b""))
                size += len(chunks[-1])
                self._held_bytes += len(chunks[-1])
                self._check(size)
                if not message.get("more_body", False):
                    break
                message = await receive()
        except BaseException as error:
            self._held_bytes -= size
            more = message.get("more_body", False)
            # This frame lives until the rest is discarded: with 500 uploads refused at once, the
            # last piece of each was 120 MB.
            chunks.clear()
            message = {}
            if isinstance(error, BodyTooLarge | Overloaded) and more:
                await _discard(receive)
            raise
        if size <= self._small_bytes:
            self._held_bytes -= size
        return b"".join(chunks)

    def release(self, body: bytes) -> None:
        """Says that a body which was read is needed no more."""
        if len(body) > self._small_bytes:
            self._held_bytes -= len(body)

    def admit(self, body: bytes) -> None:
        """Lets a request in whose body was read, or raises Overloaded."""
        if self._turn_bytes == 0:
            asyncio.get_running_loop().call_soon(self._end_turn)
        # A large body is held instead: it does not take the event loop's time.
        if len(body) <= self._small_bytes:
            self._turn_bytes += limits.REQUEST_BYTES + len(body)
        else:
            self._turn_bytes += limits.REQUEST_BYTES
        if self._turn_bytes > limits.TURN_BYTES:
            raise _overloaded(_REQUESTS)

    def _end_turn(self) -> None:
        self._turn_bytes = 0

    def _check(self, size: int) -> None:
        if size > self._max_body_bytes:
            raise BodyTooLarge(
                f"the body has more than {self._max_body_bytes} bytes, the most that are taken; "
                "send less at once, or raise LIFEBOAT_MAX_BODY_BYTES"
            )
        if self._held_bytes > limits.HELD_BODIES * self._max_body_bytes:
            raise _overloaded(_BODIES)


def _overloaded(cap: str) -> Overloaded:
    metrics.SHED.labels(cap).inc()
    return Overloaded(f"too many {cap} are in progress; try again in a moment")


async def _discard(receive: Receive) -> None:
    """Reads on without keeping anything, up to a length and a time."""
    size = 0
    try:
        async with asyncio.timeout(limits.DISCARD_SECONDS):
            while size < limits.DISCARD_BYTES:
                message = await receive()
                size += len(message.get("body", b""))
                more = message.get("more_body", False)
                # Or it would be held until the next one is there.
                del message
                if not more:
                    return
    except TimeoutError:
        return
