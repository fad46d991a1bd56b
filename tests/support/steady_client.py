"""A client that notes what became of each request, and on what kind of connection."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Sequence

from tests.support.processes import LONG_SECONDS, wait_for

SMALL = json.dumps([{"Sex": "female", "Age": 30}])
LARGE = json.dumps([{"Sex": "male", "Age": 40}] * 5_000)
"""More than is predicted on the event loop."""

_HEADERS = {"Content-Type": "application/json"}
_BETWEEN_TRIES_SECONDS = 0.01


class SteadyClient(threading.Thread):
    """Predicts, by default without a pause, on one connection for as long as it is kept open."""

    def __init__(
        self, port: int, body: str, *, keeps_connection: bool = True, pause_seconds: float = 0
    ) -> None:
        super().__init__()
        self.answered: list[float] = []
        """When each request was answered with 200, by the monotonic clock."""
        self.closed_politely = 0
        """Connections that the server ended with `Connection: close` in its last answer."""
        self.wrong: list[str] = []
        """Answers other than 200."""
        self.refused: list[str] = []
        """Connections that were not to be had."""
        self.lost_when_new: list[str] = []
        """Requests that got no answer, the first on their connection."""
        self.lost_when_kept: list[str] = []
        """Requests that got no answer on a connection that had answered before."""
        self._port = port
        self._body = body
        self._headers = _HEADERS if keeps_connection else _HEADERS | {"Connection": "close"}
        self._pause_seconds = pause_seconds
        self._stop_asked = threading.Event()

    def run(self) -> None:
        while not self._stop_asked.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=LONG_SECONDS)
            try:
                connection.connect()
            except OSError as error:
                self.refused.append(repr(error))
                self._stop_asked.wait(_BETWEEN_TRIES_SECONDS)
                continue
            try:
                self._use(connection)
            finally:
                connection.close()

    def _use(self, connection: http.client.HTTPConnection) -> None:
        lost = self.lost_when_new
        while not self._stop_asked.is_set():
            try:
                connection.request("POST", "/predict", self._body, self._headers)
                answer = connection.getresponse()
                text = answer.read()
            except (OSError, http.client.HTTPException) as error:
                lost.append(repr(error))
                self._stop_asked.wait(_BETWEEN_TRIES_SECONDS)
                return
            if answer.status == 200:
                self.answered.append(time.monotonic())
            else:
                self.wrong.append(f"{answer.status} {text.decode()}")
            self._stop_asked.wait(self._pause_seconds)
            if answer.will_close:
                self.closed_politely += 1
                return
            lost = self.lost_when_kept

    def stop(self) -> None:
        self._stop_asked.set()
        self.join()

    def failures(self) -> list[str]:
        """Return everything but answers with 200, whatever it was."""
        return [*self.refused, *self.lost_when_new, *self.lost_when_kept, *self.wrong]


def predict_meanwhile(
    port: int, act: Callable[[], object], clients: Sequence[SteadyClient] = ()
) -> list[SteadyClient]:
    """Act while clients predict, and return them when each is served again."""
    clients = list(clients) or [SteadyClient(port, body) for body in (SMALL, SMALL, SMALL, LARGE)]
    for client in clients:
        client.start()
    try:
        wait_for(lambda: all(client.answered for client in clients))
        act()
        seen = [len(client.answered) for client in clients]
        wait_for(lambda: all(len(c.answered) > n + 5 for c, n in zip(clients, seen, strict=True)))
    finally:
        for client in clients:
            client.stop()
    return clients
