"""uvicorn with `PatientConnection`, in a thread, its patience cut to a fraction of a second."""

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
from tests.support.processes import free_port, wait_for

LOOK_SECONDS = 0.05
HEAD = b"POST / HTTP/1.1\r\nHost: api\r\n"
WHOLE = HEAD + b"Content-Length: 4\r\n\r\nbody"
LONG_ANSWER = 50_000_000


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


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr("api.limits.LOOK_SECONDS", LOOK_SECONDS)
    port = free_port()
    config = uvicorn.Config(app, port=port, http=PatientConnection, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_for(lambda: server.started)
    yield port
    server.should_exit = True
    thread.join(10)


@contextlib.contextmanager
def connect(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        yield client


def until_closed(client: socket.socket) -> bytes:
    received = b""
    while data := client.recv(65536):
        received += data
    return received


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
def test_a_request_that_does_not_become_whole_is_408(port: int, sent: bytes, before: bytes) -> None:
    counted = given_up()
    with connect(port) as client:
        if before:
            client.sendall(before)
            assert client.recv(1000).endswith(b"body")
        client.sendall(sent)
        answer = until_closed(client)
    assert answer.startswith(b"HTTP/1.1 408 ") and b"connection: close" in answer
    assert "not whole" in json.loads(answer.partition(b"\r\n\r\n")[2])["detail"]
    assert given_up() == counted + 1


def test_a_client_that_sends_a_byte_now_and_then_is_given_up_as_well(port: int) -> None:
    with connect(port) as client:
        client.settimeout(LOOK_SECONDS / 2)
        client.sendall(HEAD + b"Content-Length: 1000000\r\n\r\n")
        answer = b""
        for _ in range(1000):
            with contextlib.suppress(TimeoutError):
                answer = client.recv(1000)
                break
            client.sendall(b"x")
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_client_that_says_nothing_is_let_go_without_a_word(port: int) -> None:
    with connect(port) as client:
        assert until_closed(client) == b""


def test_the_error_of_the_inference_protocol_has_its_name(port: int) -> None:
    with connect(port) as client:
        client.sendall(
            HEAD.replace(b"POST /", b"POST /v2/models/x/infer") + b"Content-Length: 4\r\n\r\n"
        )
        answer = until_closed(client)
    assert "error" in json.loads(answer.partition(b"\r\n\r\n")[2])


def test_a_client_that_takes_nothing_of_its_answer_is_let_go(port: int) -> None:
    counted = given_up()
    with connect(port) as client:
        client.sendall(WHOLE.replace(b"/", b"/long", 1))
        wait_for(lambda: given_up() == counted + 1)
        received = 0
        with contextlib.suppress(ConnectionResetError):
            received = len(until_closed(client))
    assert received < LONG_ANSWER


def test_a_client_that_keeps_asking_is_served_on(port: int) -> None:
    with connect(port) as client:
        for _ in range(40):
            client.sendall(WHOLE)
            assert client.recv(1000).endswith(b"body")
            threading.Event().wait(LOOK_SECONDS / 4)


def test_a_slow_client_that_takes_its_answer_is_served_to_the_end(port: int) -> None:
    with connect(port) as client:
        client.sendall(WHOLE.replace(b"/", b"/long", 1))
        received = 0
        while received < LONG_ANSWER:
            received += len(client.recv(2_500_000))
            threading.Event().wait(LOOK_SECONDS / 4)
    assert received >= LONG_ANSWER
