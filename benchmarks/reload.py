"""From a new version key to the first answers of the new version: `make bench-reload`.

Two API processes, eight connections that predict one passenger every 2 ms each, 50 changes. Prints
the time to the first answer of the new version on any connection, and until all have given one.
"""

import statistics
import tempfile
import threading
import time
from pathlib import Path

from shared.redis_keys import VERSION
from tests.processes import Stack, http_client
from tests.versions import publish

CHANGES = 50
CONNECTIONS = 8
PAUSE_SECONDS = 0.002


class Connection(threading.Thread):
    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.first_seen: dict[str, float] = {}
        self.stopped = False
        self._http = http_client(url)

    def run(self) -> None:
        while not self.stopped:
            answer = self._http.post("/predict", json=[{"Sex": "female"}]).raise_for_status()
            self.first_seen.setdefault(answer.headers["X-Model-Version"], time.monotonic())
            time.sleep(PAUSE_SECONDS)
        self._http.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder))
        try:
            first, last = _measure(stack)
        finally:
            stack.end()
    print(f"{CHANGES} changes of the version key, 2 API processes, {CONNECTIONS} connections")
    _print("first answer of the new version", first)
    _print("every connection on the new version", last)


def _measure(stack: Stack) -> tuple[list[float], list[float]]:
    versions = [publish(stack.models_dir) for _ in range(2)]
    stack.redis.client.set(VERSION, versions[0])
    api = stack.start_api(processes=2)
    connections = [Connection(api.url) for _ in range(CONNECTIONS)]
    for connection in connections:
        connection.start()
    time.sleep(1)
    first, last = [], []
    for change in range(CHANGES):
        version = versions[(change + 1) % 2]
        for connection in connections:
            connection.first_seen.clear()
        changed = time.monotonic()
        stack.redis.client.set(VERSION, version)
        while not all(version in connection.first_seen for connection in connections):
            time.sleep(0.001)
        seen = [connection.first_seen[version] - changed for connection in connections]
        first.append(min(seen))
        last.append(max(seen))
        time.sleep(0.2)
    for connection in connections:
        connection.stopped = True
        connection.join()
    return first, last


def _print(what: str, seconds: list[float]) -> None:
    milliseconds = [1000 * value for value in seconds]
    print(
        f"  {what:36} median {statistics.median(milliseconds):6.1f} ms,"
        f" worst {max(milliseconds):6.1f} ms"
    )


if __name__ == "__main__":
    main()
