"""What a process takes in: bodies up to a size, and work up to a capacity."""

import asyncio

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from api import limits
from api.telemetry.metrics import SHED, Cap
from shared.errors import BodyTooLarge, Overloaded


class Intake:
    """Reads bodies, and rejects requests at capacity. Serves one event loop.

    It caps work, not connections: a client that is slow or idle holds next to nothing. Uploads that
    stand still give way to others. Who sends them does not count: behind a proxy, all clients have
    one address.
    """

    def __init__(self, max_body_bytes: int) -> None:
        self._max_body_bytes = max_body_bytes
        self._small_bytes = min(limits.INLINE_BYTES, max_body_bytes)
        self._call_bytes = min(limits.CALL_BYTES, max_body_bytes)
        self._held_bytes = 0
        self._turn_bytes = 0
        self._uploads: dict[_Upload, None] = {}

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
        upload = _Upload(asyncio.get_running_loop().time())
        self._uploads[upload] = None
        refused: BodyTooLarge | Overloaded | None = None
        try:
            async with upload.patience:
                await self._read_on(upload, message, receive, most)
        except TimeoutError:
            refused = _overloaded(Cap.BODIES)
        except (BodyTooLarge, Overloaded) as error:
            # Its frames hold the last piece. With 500 uploads refused at once, these took 120 MB.
            refused = error.with_traceback(None)
        finally:
            del message, body
            self._uploads.pop(upload, None)
            if not upload.whole or upload.size <= small:
                self._held_bytes -= upload.size
        if refused is None:
            return b"".join(upload.pieces)
        upload.pieces.clear()
        try:
            if upload.more:
                await _discard(receive)
            raise refused
        finally:
            # Else the error and this frame would be a reference cycle.
            del refused

    async def _read_on(
        self, upload: "_Upload", message: Message, receive: Receive, most: int
    ) -> None:
        while True:
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            piece = message.get("body", b"")
            upload.more = message.get("more_body", False)
            if upload not in self._uploads:
                # Given up in the turn in which this piece came.
                raise _overloaded(Cap.BODIES)
            upload.pieces.append(piece)
            upload.size += len(piece)
            self._held_bytes += len(piece)
            self._check(upload.size, most)
            self._note_progress(upload)
            while self._held_bytes > limits.HELD_BODIES * self._max_body_bytes:
                self._make_room(upload)
            if not upload.more:
                upload.whole = True
                return
            message = await receive()

    def _note_progress(self, upload: "_Upload") -> None:
        if upload.size - upload.noted >= limits.PROGRESS_BYTES:
            upload.noted = upload.size
            upload.moved_at = asyncio.get_running_loop().time()
            # To the end: the uploads are in the order of their last progress.
            del self._uploads[upload]
            self._uploads[upload] = None

    def _make_room(self, newcomer: "_Upload") -> None:
        """Give up the upload that has made no progress for the longest time.

        Raises:
            Overloaded: All other uploads make progress.
        """
        now = asyncio.get_running_loop().time()
        slowest = next((upload for upload in self._uploads if upload is not newcomer), None)
        if slowest is None or now - slowest.moved_at < limits.STALL_SECONDS:
            raise _overloaded(Cap.BODIES)
        del self._uploads[slowest]
        self._held_bytes -= slowest.size
        slowest.pieces.clear()
        slowest.size = 0
        # Its own task learns it in the next turn of the event loop.
        slowest.patience.reschedule(now)

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
        self._turn_bytes += self._weight(body)
        if self._turn_bytes > limits.TURN_BYTES:
            raise _overloaded(Cap.REQUESTS)

    def has_room(self, body: bytes) -> bool:
        """Return whether a request with that body, a small one, would be admitted now."""
        is_small = len(body) <= self._small_bytes
        return is_small and self._turn_bytes + self._weight(body) <= limits.TURN_BYTES

    def _weight(self, body: bytes) -> int:
        # A large body counts as held instead: it does not take the time of the event loop.
        return limits.REQUEST_BYTES + (len(body) if len(body) <= self._small_bytes else 0)

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


class _Upload:
    """A body that comes in, in pieces."""

    __slots__ = ("more", "moved_at", "noted", "patience", "pieces", "size", "whole")

    def __init__(self, now: float) -> None:
        self.pieces: list[bytes] = []
        self.size = 0
        self.more = True
        """Whether something may follow."""
        self.whole = False
        self.noted = 0
        self.moved_at = now
        """When `noted` bytes were there."""
        self.patience = asyncio.timeout(None)


def _overloaded(cap: Cap) -> Overloaded:
    SHED.labels(cap).inc()
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
