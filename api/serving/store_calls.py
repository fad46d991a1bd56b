"""Calls that ask the store of versions: how many at once, and how long a client waits for one."""

import threading
from collections.abc import Callable
from typing import TypeVar

import anyio
from anyio import fail_after, to_thread

from api import limits
from shared.errors import StoreUnreachable

_Answer = TypeVar("_Answer")

_TURN_LOOK_SECONDS = 0.01


class StoreCalls:
    """The turns of this process. A turn lasts as long as its thread, also if nobody waits for it:
    a store that does not answer holds a few threads and no more."""

    def __init__(self) -> None:
        self._turns = threading.BoundedSemaphore(limits.STORE_THREADS)

    async def ask(
        self, call: Callable[..., _Answer], *about: str, deadline: float | None = None
    ) -> _Answer:
        """Return what the call returns, in a thread.

        `deadline` is on anyio's clock; a call without one has `STORE_SECONDS`.

        Raises:
            StoreUnreachable: it did not answer in time. The thread goes on until the storage's own
                time-outs, and keeps what it has read.
        """
        left = limits.STORE_SECONDS if deadline is None else deadline - anyio.current_time()
        try:
            with fail_after(left):
                while not self._turns.acquire(blocking=False):
                    await anyio.sleep(_TURN_LOOK_SECONDS)
                return await self._in_thread(call, *about)
        except TimeoutError:
            raise StoreUnreachable(
                f"the store of model versions did not answer within {limits.STORE_SECONDS:g} s; "
                "predictions go on, try again in a moment"
            ) from None

    async def _in_thread(self, call: Callable[..., _Answer], *about: str) -> _Answer:
        # Whoever takes it gives the turn back: the thread, or nobody waits and no thread began.
        began = threading.Lock()

        def work() -> _Answer:
            if not began.acquire(blocking=False):
                raise RuntimeError("nobody waits for this any more")
            try:
                return call(*about)
            finally:
                self._turns.release()

        try:
            return await to_thread.run_sync(work, abandon_on_cancel=True)
        finally:
            if began.acquire(blocking=False):
                self._turns.release()
