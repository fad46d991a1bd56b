"""From a new version key to answers of the new version: `make bench-reload`.

Each connection asks for a prediction again and again, until it is answered by the new version.
There is at least one connection to each API process.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from socket import create_connection

import psutil

from benchmarks.results import percentile
from shared.redis_keys import VERSION
from tests.processes import Api, Stack, children
from tests.versions import publish

CHANGES = 100
PROCESSES = 4
_LOOK_SECONDS = 0.001
_REST_SECONDS = 0.1

_BODY = b'[{"Sex": "female"}]'
_REQUEST = b"POST /predict HTTP/1.1\r\nHost: lifeboat\r\nContent-Length: %d\r\n\r\n" % len(_BODY)


class Connection:
    """The least client there can be: what it costs is a part of what is measured."""

    def __init__(self, url: str) -> None:
        host, port = url.removeprefix("http://").split(":")
        self._socket = create_connection((host, int(port)))
        self.port: int = self._socket.getsockname()[1]

    def version(self) -> str:
        """The version that answers."""
        self._socket.sendall(_REQUEST + _BODY)
        answer = b""
        # The body ends the answer, and is the only thing in it with a brace.
        while not answer.endswith(b"}"):
            answer += self._socket.recv(65536)
        version: str = json.loads(answer.partition(b"\r\n\r\n")[2])["model_version"]
        return version

    def close(self) -> None:
        self._socket.close()


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
        connections = _one_to_each_process(api)
        reload = Reload([], [])
        for change in range(CHANGES):
            _change(stack, versions[(change + 1) % 2], connections, reload)
            time.sleep(_REST_SECONDS)
        for connection in connections:
            connection.close()
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


def _one_to_each_process(api: Api) -> list[Connection]:
    """The system deals connections out as it likes, so more are opened until all are met."""
    found: dict[int, Connection] = {}
    deadline = time.monotonic() + 30
    while len(found) < PROCESSES:
        assert time.monotonic() < deadline, f"only {len(found)} processes took a connection"
        connection = Connection(api.url)
        connection.version()
        pid = _server_of(api, connection)
        if found.setdefault(pid, connection) is not connection:
            connection.close()
    return list(found.values())


def _server_of(api: Api, connection: Connection) -> int:
    for process in children(api.pid):
        for socket in process.net_connections("tcp"):
            if socket.raddr and socket.raddr.port == connection.port:
                return process.pid
    raise psutil.NoSuchProcess(api.pid)


def _spread(milliseconds: list[float]) -> str:
    median, p99 = statistics.median(milliseconds), percentile(milliseconds, 99)
    return f"median {median:.1f} ms, p99 {p99:.1f} ms, worst {max(milliseconds):.1f} ms"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        print(measure(Path(folder)))


if __name__ == "__main__":
    main()
