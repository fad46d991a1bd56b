"""Connections to the API, each to one of its processes, and clients that predict over them."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from socket import create_connection

import psutil

from tests.support.processes import LONG_SECONDS, Api, children, wait_for

_BODY = b'[{"Sex": "female"}]'
_REQUEST = b"POST /predict HTTP/1.1\r\nHost: lifeboat\r\nContent-Length: %d\r\n\r\n" % len(_BODY)
_AGAIN_SECONDS = 0.01


class Connection:
    """The least client there can be: what it costs is a part of what is measured.

    Raises OSError from every method when the connection is refused or breaks.
    """

    def __init__(self, url: str) -> None:
        host, port = url.removeprefix("http://").split(":")
        self._socket = create_connection((host, int(port)), LONG_SECONDS)
        self.port: int = self._socket.getsockname()[1]

    def predict(self) -> tuple[bytes, bytes]:
        """Head and body of an answer."""
        self._socket.sendall(_REQUEST + _BODY)
        answer = b""
        # The body ends the answer, and is the only thing in it with a brace.
        while not answer.endswith(b"}"):
            received = self._socket.recv(65536)
            if not received:
                raise ConnectionError("closed in the middle of a request")
            answer += received
        head, _, body = answer.partition(b"\r\n\r\n")
        return head, body

    def version(self) -> str:
        """The version that answers."""
        version: str = json.loads(self.predict()[1])["model_version"]
        return version

    def close(self) -> None:
        self._socket.close()


@contextlib.contextmanager
def to_each_process(api: Api, processes: int) -> Iterator[dict[int, Connection]]:
    """A connection to each API process, by its pid; closed afterwards.

    The system deals connections out as it likes, so more are opened until all are met. A connection
    that is idle for 5 s is closed by the API.
    """
    found: dict[int, Connection] = {}
    deadline = time.monotonic() + LONG_SECONDS
    with contextlib.ExitStack() as ends:
        while len(found) < processes:
            assert time.monotonic() < deadline, f"only {len(found)} processes took connections"
            connection = Connection(api.url)
            ends.callback(connection.close)
            connection.predict()
            if found.setdefault(_server_of(api, connection), connection) is not connection:
                connection.close()
        yield found


def _server_of(api: Api, connection: Connection) -> int:
    for process in children(api.pid):
        # One that ends meanwhile is not the one that has just answered.
        with contextlib.suppress(psutil.NoSuchProcess):
            for socket in process.net_connections("tcp"):
                if socket.raddr and socket.raddr.port == connection.port:
                    return process.pid
    raise AssertionError(f"no process of the API has the connection from {connection.port}")


@dataclass(frozen=True, slots=True)
class Answer:
    version: str
    asked: float
    """Seconds of the monotonic clock."""
    answered: float


class Client(threading.Thread):
    """Predicts without a pause on one connection, so by one process, and notes what it gets.

    A connection that breaks is a failure, and is followed by a new one.
    """

    def __init__(self, url: str, connection: Connection | None = None) -> None:
        super().__init__()
        self.answers: list[Answer] = []
        self.failures: list[str] = []
        self._url = url
        self._connection = connection
        self._stop_asked = threading.Event()

    @property
    def versions(self) -> list[str]:
        return [answer.version for answer in self.answers]

    def run(self) -> None:
        while not self._stop_asked.is_set():
            try:
                self._connection = self._connection or Connection(self._url)
                self._predict(self._connection)
            except OSError as error:
                self.failures.append(repr(error))
                self._hang_up()
                self._stop_asked.wait(_AGAIN_SECONDS)
        self._hang_up()

    def _predict(self, connection: Connection) -> None:
        asked = time.monotonic()
        head, body = connection.predict()
        answered = time.monotonic()
        if not head.startswith(b"HTTP/1.1 200 "):
            self.failures.append((head + body).decode())
            return
        version = json.loads(body)["model_version"]
        if f"x-model-version: {version}\r\n" not in f"{head.decode().lower()}\r\n":
            self.failures.append("header and body name two versions")
            return
        self.answers.append(Answer(version, asked, answered))

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def stop(self) -> None:
        self._stop_asked.set()
        self.join()


@contextlib.contextmanager
def clients_of(api: Api, count: int) -> Iterator[list[Client]]:
    """Clients that predict meanwhile; what they note is complete afterwards."""
    clients = [Client(api.url) for _ in range(count)]
    for client in clients:
        client.start()
    try:
        yield clients
    finally:
        for client in clients:
            client.stop()


@contextlib.contextmanager
def clients_of_each_process(
    api: Api, processes: int, count: int
) -> Iterator[dict[int, list[Client]]]:
    """The same, so many of each API process, by its pid. No connection is idle from the start."""
    found: dict[int, list[Client]] = {}
    deadline = time.monotonic() + LONG_SECONDS
    with contextlib.ExitStack() as ends:
        while sum(len(clients) == count for clients in found.values()) < processes:
            assert time.monotonic() < deadline, f"only {len(found)} processes took connections"
            connection = Connection(api.url)
            client = Client(api.url, connection)
            client.start()
            ends.callback(client.stop)
            wait_for(lambda: client.answers, pause=0.001)  # noqa: B023
            clients = found.setdefault(_server_of(api, connection), [])
            if len(clients) < count:
                clients.append(client)
            else:
                client.stop()
        yield found
