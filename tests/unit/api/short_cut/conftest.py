"""The API in two ways, side by side: with the short cut, and without."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from prometheus_client import REGISTRY
from starlette.types import Receive, Scope, Send

from api import limits
from api.app import create_app
from api.dependencies import State
from api.http.entrance import leaves_alone
from api.http.intake import Intake
from api.http.key import KeyCheck
from api.serving.batcher import Batcher
from api.serving.served_model import ServedModelHolder
from api.short_cut.connection import ShortCutConnection
from api.short_cut.head import Heads
from api.short_cut.short_cut import ShortCut
from api.telemetry import metrics
from shared.settings import Settings
from tests.support.processes import LONG_SECONDS, free_port, wait_for
from tests.unit.api.conftest import state

PATHS = ("/predict", "/v2/models/lifeboat/infer")
_DATE = re.compile(rb"date: [^\r]*")
_NEW_ID = re.compile(rb"x-request-id: [0-9a-f]{20}")
Counts = dict[tuple[str, ...], float]


def counts() -> Counts:
    """Every request answered, and every one that was shed."""
    metrics.save()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in REGISTRY.collect()
        for sample in family.samples
        if sample.name in ("lifeboat_http_requests_total", "lifeboat_shed_requests_total")
    }


class Way:
    """A server in a thread. It notes how many requests went the way of ASGI."""

    def __init__(
        self, models_dir: Path, *, short: bool, settings: Settings, keep_alive: int
    ) -> None:
        self.asgi = 0
        self.port = free_port()
        self.latest: ShortCutConnection | None = None
        self.holder: ServedModelHolder
        self.stopping: threading.Event
        intake = self.intake = Intake(settings.max_body_bytes)
        everything = settings.api_key_for == "everything"
        key = KeyCheck(settings.api_keys, for_everything=everything)
        heads = Heads(PATHS, key, leaves_alone(settings))

        @asynccontextmanager
        async def lifespan(api: FastAPI) -> Any:
            made: State = state(api, models_dir, settings=settings, batcher=Batcher())
            self.holder, self.stopping = made["holder"], made["stopping"]
            made["short_cut"] = (
                ShortCut(heads, self.holder, made["batcher"], intake, settings.max_rows)
                if short
                else None
            )
            yield made

        app = create_app(settings, lifespan)
        outer = self

        async def noting(scope: Scope, receive: Receive, send: Send) -> None:
            outer.asgi += scope["type"] == "http"
            await app(scope, receive, send)

        class Noted(ShortCutConnection):
            def __init__(self, *arguments: Any, **options: Any) -> None:
                super().__init__(*arguments, **options)
                outer.latest = self

        self.uvicorn = uvicorn.Server(
            uvicorn.Config(
                noting,
                port=self.port,
                http=Noted,
                log_config=None,
                server_header=False,
                timeout_keep_alive=keep_alive,
            )
        )

    @contextmanager
    def connected(self) -> Iterator["Client"]:
        self.latest = None
        with socket.create_connection(("127.0.0.1", self.port), LONG_SECONDS) as connection:
            yield Client(connection)

    def connection(self) -> ShortCutConnection:
        """The connection that was made last, at the server's end."""
        return wait_for(lambda: self.latest)


class Client:
    """One connection, and what is left of what came over it."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._received = b""

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def answer(self) -> bytes:
        """The next answer, whole; its date and the id that the server gave are left out."""
        head = self._until(b"\r\n\r\n")
        length = re.search(rb"\ncontent-length: (\d+)", head)
        size = len(head) + int(length[1] if length else 0)
        while len(self._received) < size:
            self._receive()
        answer, self._received = self._received[:size], self._received[size:]
        return _NEW_ID.sub(b"x-request-id: NEW", _DATE.sub(b"date: NOW", answer))

    def _until(self, end: bytes) -> bytes:
        while end not in self._received:
            self._receive()
        return self._received[: self._received.index(end) + len(end)]

    def _receive(self) -> None:
        data = self.connection.recv(65536)
        assert data, f"closed after {self._received!r}"
        self._received += data

    def is_closed(self) -> bool:
        """Waits until the server closes; nothing may come before."""
        try:
            return not self._received and self.connection.recv(65536) == b""
        except ConnectionResetError:
            return True


class Ways:
    """Both ways, asked the same."""

    def __init__(self, short: Way, long: Way) -> None:
        self.short, self.long = short, long

    def __iter__(self) -> Iterator[Way]:
        yield self.short
        yield self.long

    def ask(self, *sent: bytes, answers: int) -> tuple[list[bytes], int]:
        """Send the parts over one connection; return the answers, which both ways give alike.

        Also return how many of the requests the short cut has left to ASGI.
        """
        found: list[tuple[list[bytes], Counts]] = []
        before_asgi = self.short.asgi
        for way in self:
            before = counts()
            with way.connected() as client:
                for part in sent:
                    client.send(part)
                given = [client.answer() for _ in range(answers)]
            # A request is counted after its answer has been written.
            wait_for(lambda before=before: counts() != before)  # type: ignore[misc]
            after = counts()
            found.append((given, {n: v - before.get(n, 0) for n, v in after.items()}))
        (short, counted), (long, also_counted) = found
        assert short == long
        assert {n: v for n, v in counted.items() if v} == {
            n: v for n, v in also_counted.items() if v
        }
        return short, self.short.asgi - before_asgi


@contextmanager
def both(models_dir: Path, *, keep_alive: int = 300, **settings: Any) -> Iterator[Ways]:
    """Start both; a silent connection is closed after `keep_alive` seconds."""
    with ExitStack() as ends:
        # A look at a connection is a test's own.
        ends.enter_context(pytest.MonkeyPatch.context()).setattr(limits, "LOOK_SECONDS", 1000)
        ways = [
            Way(models_dir, short=short, settings=Settings(**settings), keep_alive=keep_alive)
            for short in (True, False)
        ]
        for way in ways:
            thread = threading.Thread(target=way.uvicorn.run)
            thread.start()
            ends.callback(thread.join, LONG_SECONDS)
            ends.callback(setattr, way.uvicorn, "should_exit", True)
            wait_for(lambda way=way: way.uvicorn.started)  # type: ignore[misc]
        yield Ways(*ways)


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ways]:
    with both(tmp_path_factory.mktemp("models"), max_rows=50) as ways:
        yield ways
