"""From a new version key to answers of the new version: `make bench-reload`.

Each connection asks for a prediction again and again, until it is answered by the new version.
There is at least one connection to each API process.
"""

import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.results import percentile
from shared.runtime.redis_keys import VERSION
from tests.support.connections import Connection, to_each_process
from tests.support.processes import Stack
from tests.support.versions import publish

CHANGES = 100
PROCESSES = 4
_LOOK_SECONDS = 0.001
_REST_SECONDS = 0.1


@dataclass(frozen=True)
class Reload:
    first: list[float]
    """Per change, milliseconds until the first answer of the new version."""
    last: list[float]
    """Per change, milliseconds until every process had given one."""

    def __str__(self) -> str:
        return (
            f"{len(self.last)} changes of the version key, {PROCESSES} API processes: first answer"
            f" of the new version {_spread(self.first)}; every process {_spread(self.last)}"
        )


def measure(folder: Path) -> Reload:
    stack = Stack(folder)
    try:
        versions = [publish(stack.models_dir) for _ in range(2)]
        stack.redis.client.set(VERSION, versions[0])
        api = stack.start_api(processes=PROCESSES)
        reload = Reload([], [])
        with to_each_process(api, PROCESSES) as found:
            connections = [*found.values()]
            for change in range(CHANGES):
                _change(stack, versions[(change + 1) % 2], connections, reload)
                time.sleep(_REST_SECONDS)
        return reload
    finally:
        stack.end()


def _change(stack: Stack, version: str, connections: Sequence[Connection], reload: Reload) -> None:
    waiting, seen = list(connections), list[float]()
    changed = time.monotonic()
    stack.redis.client.set(VERSION, version)
    while waiting:
        for connection in list(waiting):
            if connection.version() == version:
                seen.append(1000 * (time.monotonic() - changed))
                waiting.remove(connection)
        time.sleep(_LOOK_SECONDS)
    reload.first.append(min(seen))
    reload.last.append(max(seen))


def _spread(milliseconds: list[float]) -> str:
    median, p99 = statistics.median(milliseconds), percentile(milliseconds, 99)
    return f"median {median:.1f} ms, p99 {p99:.1f} ms, worst {max(milliseconds):.1f} ms"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        print(measure(Path(folder)))


if __name__ == "__main__":
    main()
