"""One API process alone on a core, and load on it from the other, for what is held as a ratio."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks import ours, wrk
from benchmarks.server import Running
from tests.support.processes import Api, Stack

_CONNECTIONS = 256
_ROUNDS = 3
_TRY_SECONDS = 3


@dataclass(frozen=True)
class Pinned:
    server: Running
    api: Api

    def load(self, seconds: int, pause_ms: int | None = None) -> wrk.Load:
        """A passenger at a time; without a pause as fast as it goes.

        Raises:
            RuntimeError: a request failed.
        """
        call = self.server.server.calls[0]
        body = call.body(1)
        return wrk.load(
            self.api.url + call.path,
            body.content,
            headers=body.headers,
            connections=_CONNECTIONS,
            seconds=seconds,
            pause_ms=None if pause_ms is None else (pause_ms - pause_ms // 4, pause_ms),
        )

    def highest_rate(self) -> float:
        """Requests/s."""
        return max(self.load(_TRY_SECONDS).requests_per_second for _ in range(_ROUNDS))

    def pause_for(self, rate: float) -> int:
        """The longest pause, in milliseconds, with which the load comes to about that rate."""
        between = 1000 * _CONNECTIONS / rate
        # The mean of the pause is 7/8 of the longest; what an answer takes is a part of the cycle.
        waited = self.load(_TRY_SECONDS, round(between * 8 / 7)).p50_ms
        return round((between - waited) * 8 / 7)


@contextlib.contextmanager
def pinned_api(stack: Stack) -> Iterator[Pinned]:
    """Fails where there is no wrk, and says how to get it."""
    wrk.require_tools()
    server = Running(ours.lifeboat(stack.models_dir, stack.redis.url), stack.folder)
    api = Api(server.server.url)
    try:
        server.wait()
        yield Pinned(server, api)
    finally:
        api.http.close()
        server.end()
