"""uvicorn with `PatientConnection`, in a thread; it looks at its connection when a test says so."""

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from prometheus_client import REGISTRY
from starlette.types import Receive, Scope, Send

from api.http.connection import PatientConnection
from tests.support.processes import LONG_SECONDS, free_port, wait_for

LOOKS = 4
HEAD = b"POST / HTTP/1.1\r\nHost: api\r\n"
WHOLE = HEAD + b"Content-Length: 4\r\n\r\nbody"
LONG_ANSWER = 100_000_000
MORE_THAN_THE_SYSTEM_KEEPS = 12_500_000
"""Bytes of an answer, on their way between the two ends of a connection."""


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the body and sends it back; a lot more for /long."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    if scope["path"] == "/long":
        body = b"x" * LONG_ANSWER
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


class Server:
    """One connection is of interest: the last that was made."""

    def __init__(self) -> None:
        self.port = free_port()
        self.received = 0
        """Bytes that the connection has been given."""
        self._connection: PatientConnection | None = None
        outer = self

        class Noted(PatientConnection):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                outer.received, outer._connection = 0, self

            def data_received(self, data: bytes) -> None:
                super().data_received(data)
                outer.received += len(data)

        config = uvicorn.Config(app, port=self.port, http=Noted, log_config=None, lifespan="off")
        self.uvicorn = uvicorn.Server(config)

    def look(self, times: int = 1) -> None:
        """Let the connection look at its client, once it is there."""
        connection = wait_for(lambda: self._connection)
        for _ in range(times):
            looked = threading.Event()

            def look(looked: threading.Event = looked) -> None:
                connection._look()
                looked.set()

            connection.loop.call_soon_threadsafe(look)
            assert looked.wait(LONG_SECONDS)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.uvicorn.run)
    thread.start()
    wait_for(lambda: server.uvicorn.started)
    yield server
    server.uvicorn.should_exit = True
    thread.join(LONG_SECONDS)
    assert not thread.is_alive()


@contextlib.contextmanager
def connect(server: Server) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), LONG_SECONDS) as client:
        yield client


def send(server: Server, client: socket.socket, sent: bytes) -> None:
    """Send it, and wait until the connection has it."""
    before = server.received
    client.sendall(sent)
    wait_for(lambda: server.received == before + len(sent), pause=0.001)


def until(client: socket.socket, end: bytes) -> bytes:
    """Receive an answer up to its end: it may come in parts."""
    received = b""
    while not received.endswith(end):
        part = client.recv(65536)
        assert part, received
        received += part
    return received


def until_closed(client: socket.socket) -> bytes:
    received = bytearray()
    while data := client.recv(65536):
        received += data
    return bytes(received)


def given_up() -> float:
    return REGISTRY.get_sample_value("lifeboat_slow_clients_total") or 0


@pytest.mark.parametrize(
    "sent",
    [
        b"POST /",
        HEAD,
        HEAD + b"Content-Length: 4\r\n\r\n",
        HEAD + b"Content-Length: 4\r\n\r\nbod",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nbod",
    ],
)
@pytest.mark.parametrize("before", [b"", WHOLE])
def test_a_request_that_does_not_become_whole_is_408(
    server: Server, sent: bytes, before: bytes
) -> None:
    counted = given_up()
    with connect(server) as client:
        server.look(0)
        if before:
            client.sendall(before)
            until(client, b"body")
        send(server, client, sent)
        server.look(LOOKS)
        answer = until_closed(client)
    assert answer.startswith(b"HTTP/1.1 408 ") and b"connection: close" in answer
    assert "not whole" in json.loads(answer.partition(b"\r\n\r\n")[2])["detail"]
    assert given_up() == counted + 1


def test_a_client_that_sends_a_byte_now_and_then_is_given_up_as_well(server: Server) -> None:
    with connect(server) as client:
        server.look(0)
        send(server, client, HEAD + b"Content-Length: 1000000\r\n\r\n")
        for _ in range(LOOKS):
            send(server, client, b"x")
            server.look()
        answer = until_closed(client)
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_client_that_says_nothing_is_let_go_without_a_word(server: Server) -> None:
    with connect(server) as client:
        server.look(LOOKS)
        assert until_closed(client) == b""


def test_the_error_of_the_inference_protocol_has_its_name(server: Server) -> None:
    head = HEAD.replace(b"POST /", b"POST /v2/models/x/infer")
    with connect(server) as client:
        server.look(0)
        send(server, client, head + b"Content-Length: 4\r\n\r\n")
        server.look(LOOKS)
        answer = until_closed(client)
    assert "error" in json.loads(answer.partition(b"\r\n\r\n")[2])


def test_a_client_that_takes_nothing_of_its_answer_is_let_go(server: Server) -> None:
    counted = given_up()

    def is_given_up() -> bool:
        # What the system takes at first is progress, too.
        server.look()
        return given_up() == counted + 1

    with connect(server) as client:
        server.look(0)
        send(server, client, WHOLE.replace(b"/", b"/long", 1))
        wait_for(is_given_up)
        received = 0
        with contextlib.suppress(ConnectionResetError):
            received = len(until_closed(client))
    assert received < LONG_ANSWER


def test_a_client_that_keeps_asking_is_served_on(server: Server) -> None:
    with connect(server) as client:
        for _ in range(10 * LOOKS):
            client.sendall(WHOLE)
            until(client, b"body")
            server.look()


def test_a_slow_client_that_takes_its_answer_is_served_to_the_end(server: Server) -> None:
    with connect(server) as client:
        server.look(0)
        send(server, client, WHOLE.replace(b"/", b"/long", 1))
        received = looks = 0
        while received < LONG_ANSWER:
            part = client.recv(65536)
            assert part, "it was given up"
            received += len(part)
            if received // MORE_THAN_THE_SYSTEM_KEEPS > looks:
                server.look()
                looks += 1
    assert looks > LOOKS
