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

from api import limits
from api.http.connection import PatientConnection
from tests.support.processes import LONG_SECONDS, free_port, wait_for

LOOKS = 4
HEAD = b"POST / HTTP/1.1\r\nHost: api\r\n"
WHOLE = HEAD + b"Content-Length: 4\r\n\r\nbody"
LONG_ANSWER = 100_000_000
MORE_THAN_THE_SYSTEM_KEEPS = 12_500_000
"""Bytes of an answer, on their way between the two ends of a connection."""


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the body and sends it back; a lot more for /long, and names for /headers."""
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
    if scope["path"] == "/headers":
        body = b", ".join(name for name, _ in scope["headers"])
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


class Server:
    """One connection is of interest: the last that was made."""

    def __init__(self) -> None:
        self.port = free_port()
        self.received = 0
        """Bytes that the connection has been given."""
        self.connection: PatientConnection | None = None
        outer = self

        class Noted(PatientConnection):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                outer.received, outer.connection = 0, self

            def data_received(self, data: bytes) -> None:
                super().data_received(data)
                outer.received += len(data)

        config = uvicorn.Config(app, port=self.port, http=Noted, log_config=None, lifespan="off")
        self.uvicorn = uvicorn.Server(config)

    def look(self, times: int = 1) -> None:
        """Let the connection look at its client, once it is there."""
        connection = wait_for(lambda: self.connection)
        for _ in range(times):
            looked = threading.Event()

            def look(looked: threading.Event = looked) -> None:
                connection._look()
                looked.set()

            connection.loop.call_soon_threadsafe(look)
            assert looked.wait(LONG_SECONDS)


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.uvicorn.run)
    thread.start()
    wait_for(lambda: server.uvicorn.started)
    yield server
    server.uvicorn.should_exit = True
    thread.join(LONG_SECONDS)
    assert not thread.is_alive()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def kept() -> Iterator[Server]:
    """A server for many tests."""
    with serving() as server:
        yield server


@contextlib.contextmanager
def connect(server: Server) -> Iterator[socket.socket]:
    server.connection = None
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


# --- requests that ask for another protocol ------------------------------------------------------

SMUGGLED = b"PUT /run-pipeline HTTP/1.1\r\nHost: api\r\n\r\n"
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
WEBSOCKET = b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
OTHERS = b"upgrade: TLS/1.0, h2c\r\nUPGRADE: x\r\nconnection: keep-alive,UPGRADE\r\n"


def bodies_of(answers: bytes) -> list[bytes]:
    """The bodies of answers, which all have a length."""
    found = []
    while answers:
        head, _, rest = answers.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), answers
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        found.append(rest[:length])
        answers = rest[length:]
    return found


@pytest.mark.parametrize("upgrade", [H2C, WEBSOCKET, OTHERS])
@pytest.mark.parametrize("framing", ["length", "chunks", "expect"])
@pytest.mark.parametrize("together", [True, False])
def test_a_request_to_upgrade_is_read_as_any_other(
    kept: Server, upgrade: bytes, framing: str, together: bool
) -> None:
    length = b"%d" % len(SMUGGLED)
    how, body = {
        "length": (b"Content-Length: " + length, SMUGGLED),
        "chunks": (
            b"Transfer-Encoding: chunked",
            b"%x\r\n" % len(SMUGGLED) + SMUGGLED + b"\r\n0\r\n\r\n",
        ),
        "expect": (b"Expect: 100-continue\r\nContent-Length: " + length, SMUGGLED),
    }[framing]
    request = [HEAD + upgrade + how + b"\r\n\r\n", body]
    with connect(kept) as client:
        kept.look(0)
        for part in [b"".join(request)] if together else request:
            send(kept, client, part)
        send(kept, client, HEAD + b"Connection: close\r\nContent-Length: 4\r\n\r\nlast")
        answers = until_closed(client).removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert bodies_of(answers) == [SMUGGLED, b"last"]


def test_requests_to_upgrade_in_one_go_are_answered_in_their_order(kept: Server) -> None:
    upgrading = HEAD + H2C + b"Content-Length: 1\r\n\r\n"
    last = HEAD + WEBSOCKET.replace(b"upgrade", b"upgrade, close") + b"Content-Length: 4\r\n\r\n"
    with connect(kept) as client:
        client.sendall(WHOLE + b"".join(upgrading + b"%d" % n for n in range(9)) + last + b"last")
        answers = until_closed(client)
    assert bodies_of(answers) == [b"body", *(b"%d" % n for n in range(9)), b"last"]


@pytest.mark.parametrize("target", [b"api:80", b"/", b"http://api/"])
@pytest.mark.parametrize("more", [b"", H2C, b"Content-Length: 42\r\n"])
def test_a_tunnel_is_refused_and_nothing_in_it_is_a_request(
    kept: Server, target: bytes, more: bytes
) -> None:
    with connect(kept) as client:
        client.sendall(
            b"CONNECT " + target + b" HTTP/1.1\r\nHost: api\r\n" + more + b"\r\n" + SMUGGLED
        )
        answer = until_closed(client)
    assert answer.startswith(b"HTTP/1.1 400 ") and b"connection: close" in answer
    assert answer.count(b"HTTP/1.1 ") == 1


def test_a_trailer_is_not_a_header(kept: Server) -> None:
    chunks = b"Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nX-API-Key: sesame\r\n\r\n"
    with connect(kept) as client:
        client.sendall(HEAD.replace(b"/", b"/headers", 1) + b"Connection: close\r\n" + chunks)
        answer = until_closed(client)
    assert b"connection" in answer and b"x-api-key" not in answer


# --- how many ------------------------------------------------------------------------------------


def test_of_too_many_connections_one_that_never_asked_is_closed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(server) as silent, connect(server) as asking, connect(server) as late:
        send(server, late, HEAD)
        asking.sendall(WHOLE)
        until(asking, b"body")
        monkeypatch.setattr("api.limits.CONNECTIONS", 3)
        with connect(server) as newcomer, connect(server) as next_one:
            assert until_closed(silent) == b""
            # `late` has brought no whole request either.
            with contextlib.suppress(ConnectionResetError):
                assert until_closed(late) == b""
            for client in (asking, newcomer, next_one):
                client.sendall(WHOLE)
                assert until(client, b"body").startswith(b"HTTP/1.1 200")
            with connect(server) as one_more, contextlib.suppress(ConnectionResetError):
                assert until_closed(one_more) == b""
            asking.sendall(WHOLE)
            assert until(asking, b"body").startswith(b"HTTP/1.1 200")


def test_files_for_other_things_are_left(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (limits.OTHER_FILES, 10_000))
    with connect(server) as client, contextlib.suppress(ConnectionResetError):
        assert until_closed(client) == b""
    monkeypatch.setattr("resource.getrlimit", lambda _: (limits.OTHER_FILES + 1, 10_000))
    with connect(server) as client:
        client.sendall(WHOLE)
        assert until(client, b"body").startswith(b"HTTP/1.1 200")


def test_requests_that_wait_for_the_first_have_a_greatest_number(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.limits.PIPELINED_REQUESTS", 5)
    with connect(server) as client:
        client.sendall(WHOLE * 5)
        assert until(client, b"body" * 1)
    with connect(server) as client, contextlib.suppress(ConnectionResetError):
        # The first is not whole before the last, so that all of them wait.
        client.sendall(HEAD.replace(b"/", b"/long", 1) + b"Content-Length: 0\r\n\r\n" + WHOLE * 20)
        assert until_closed(client).count(b"HTTP/1.1 200") < 7
