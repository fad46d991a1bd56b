"""What a process takes in: bodies up to a size, and work up to a capacity."""

import asyncio

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from api import limits
from api.telemetry import metrics
from shared.errors import BodyTooLarge, Overloaded

_REQUESTS, _BODIES = "requests at once", "large bodies"
# Made at the start: else a rate would miss the first request that is shed.
for cap in (_REQUESTS, _BODIES):
    metrics.SHED.labels(cap)


class Intake:
    """Reads bodies, and rejects requests at capacity. Serves one event loop.

    It caps work, not connections: a client that is slow or idle holds next to nothing.
    """

    def __init__(self, max_body_bytes: int) -> None:
        self._max_body_bytes = max_body_bytes
        self._small_bytes = min(limits.INLINE_BYTES, max_body_bytes)
        self._call_bytes = min(limits.CALL_BYTES, max_body_bytes)
        self._held_bytes = 0
        self._turn_bytes = 0

    async def read(self, receive: Receive, *, predicts: bool = True) -> bytes:
        """Return the whole body. A large body counts as held until it is released.

        Only a call that predicts may have a large body.

        Raises:
            ClientDisconnect: The client left before its request was whole.
            BodyTooLarge, Overloaded: The body is refused. Its rest has been discarded, and more of
                it may still be on its way.
        """
        small, most = self._small_bytes, self._max_body_bytes
        if not predicts:
            small = most = self._call_bytes
        message = await receive()
        body: bytes = message.get("body", b"")
        # Most bodies come in one message.
        if (
            len(body) <= small
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
                self._check(size, most)
                if not message.get("more_body", False):
                    break
                message = await receive()
        except BaseException as error:
            self._held_bytes -= size
            more = message.get("more_body", False)
            # This frame lives until the rest is discarded. With 500 uploads refused at once, their
            # last pieces took 120 MB.
            chunks.clear()
            message = {}
            if isinstance(error, BodyTooLarge | Overloaded) and more:
                await _discard(receive)
            raise
        if size <= self._small_bytes:
            self._held_bytes -= size
        return b"".join(chunks)

    def release(self, body: bytes) -> None:
        """Give back the room of a body that is no longer needed."""
        if len(body) > self._small_bytes:
            self._held_bytes -= len(body)

    def admit(self, body: bytes) -> None:
        """Admit a request whose body was read.

        Raises:
            Overloaded: This turn of the event loop has taken in as much work as it may.
        """
        if self._turn_bytes == 0:
            asyncio.get_running_loop().call_soon(self._end_turn)
        # A large body counts as held instead: it does not take the time of the event loop.
        if len(body) <= self._small_bytes:
            self._turn_bytes += limits.REQUEST_BYTES + len(body)
        else:
            self._turn_bytes += limits.REQUEST_BYTES
        if self._turn_bytes > limits.TURN_BYTES:
            raise _overloaded(_REQUESTS)

    def _end_turn(self) -> None:
        self._turn_bytes = 0

    def _check(self, size: int, most: int) -> None:
        if size > most:
            raise BodyTooLarge(
                f"the body has more than {most} bytes, the most that a request may have; send less "
                "at once, or raise LIFEBOAT_MAX_BODY_BYTES"
                if most == self._max_body_bytes
                else f"the body has more than {most} bytes, the most that a call which does not "
                "predict may have; send less"
            )
        if self._held_bytes > limits.HELD_BODIES * self._max_body_bytes:
            raise _overloaded(_BODIES)


def _overloaded(cap: str) -> Overloaded:
    metrics.SHED.labels(cap).inc()
    return Overloaded(f"too many {cap} are in progress; try again in a moment")


async def _discard(receive: Receive) -> None:
    """Read on without keeping anything, up to a length and a time."""
    size = 0
    try:
        async with asyncio.timeout(limits.DISCARD_SECONDS):
            while size < limits.DISCARD_BYTES:
                message = await receive()
                size += len(message.get("body", b""))
                more = message.get("more_body", False)
                # Else this frame would hold the message until the next message is there.
                del message
                if not more:
                    return
    except TimeoutError:
        return
