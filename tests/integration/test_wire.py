"""Requests as bytes on a socket: what clients make of HTTP, and what none should."""

import contextlib
import gzip
import json
import socket
from collections.abc import Iterator

import pytest

from tests.support.one_model import serving
from tests.support.processes import LONG_SECONDS, Api

ONE = b'[{"Sex": "male"}]'
MAX_BODY_BYTES = 8 * 1024 * 1024


@pytest.fixture(scope="module", params=["on", "off"])
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One process with a model, so that a crash would show; with the short cut, and without."""
    with serving(tmp_path_factory.mktemp("wire"), short_cut=request.param) as api:
        yield api


@contextlib.contextmanager
def connection(api: Api) -> Iterator[socket.socket]:
    host, _, port = api.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=LONG_SECONDS) as client:
        yield client


def until_closed(client: socket.socket) -> bytes:
    received = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while data := client.recv(65536):
            received += data
    return bytes(received)


def send(api: Api, *parts: bytes) -> bytes:
    """Everything the server sends to a client that sends these, until it closes the connection."""
    with connection(api) as client:
        for part in parts:
            client.sendall(part)
        return until_closed(client)


def post(body: bytes, *headers: bytes, path: bytes = b"/predict") -> bytes:
    length = b"Content-Length: %d" % len(body)
    lines = [b"POST %s HTTP/1.1" % path, b"Host: api", b"Connection: close", length, *headers]
    return b"\r\n".join([*lines, b"", body])


def chunked(*chunks: bytes, path: bytes = b"/predict") -> bytes:
    lines = [b"POST %s HTTP/1.1" % path, b"Host: api", b"Connection: close"]
    head = b"\r\n".join([*lines, b"Transfer-Encoding: chunked", b"", b""])
    return head + b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n"


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def said(answer: bytes) -> str:
    body = json.loads(answer.partition(b"\r\n\r\n")[2])
    return str(body.get("detail", body.get("error")))


def assert_serves(api: Api) -> None:
    assert status(send(api, post(ONE))) == 200


# --- bodies --------------------------------------------------------------------------------------


def test_a_body_in_chunks_is_read_as_a_whole_one(api: Api) -> None:
    whole = send(api, post(ONE)).partition(b"\r\n\r\n")[2]
    assert send(api, chunked(ONE[:5], ONE[5:])).endswith(whole)


@pytest.mark.parametrize("path", [b"/predict", b"/v2/models/lifeboat/infer", b"/run-pipeline"])
@pytest.mark.parametrize("in_chunks", [False, True])
def test_the_client_of_a_body_that_is_too_large_gets_to_read_why(
    api: Api, path: bytes, in_chunks: bool
) -> None:
    body = b"[" + b" " * MAX_BODY_BYTES * 3
    request = (
        chunked(*[body[i : i + 2**20] for i in range(0, len(body), 2**20)], path=path)
        if in_chunks
        else post(body, path=path)
    )
    # Kept alive as far as the client is concerned: it is the server that closes.
    answer = send(api, request.replace(b"Connection: close\r\n", b""))
    assert status(answer) == 413
    assert b"connection: close" in answer.lower()
    limit = "does not predict" if path == b"/run-pipeline" else "LIFEBOAT_MAX_BODY_BYTES"
    assert limit in said(answer)


def test_a_body_of_the_greatest_length_is_read(api: Api) -> None:
    assert status(send(api, post(ONE.ljust(MAX_BODY_BYTES)))) == 200
    assert status(send(api, post(ONE.ljust(MAX_BODY_BYTES + 1)))) == 413


def test_a_client_that_asks_first_may_send(api: Api) -> None:
    request = post(ONE, b"Expect: 100-continue").removesuffix(ONE)
    with connection(api) as client:
        client.sendall(request)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = client.recv(1)
            assert byte, head
            head += byte
        assert head.startswith(b"HTTP/1.1 100 ")
        client.sendall(ONE)
        assert status(until_closed(client)) == 200


@pytest.mark.parametrize("path", [b"/predict", b"/v2/models/lifeboat/infer"])
def test_a_compressed_body_is_refused_in_words(api: Api, path: bytes) -> None:
    request = post(gzip.compress(ONE), b"Content-Encoding: gzip", path=path)
    answer = send(api, request)
    assert status(answer) == 415
    assert "Content-Encoding" in said(answer)


# --- requests that are none ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [
        post(ONE, b"Transfer-Encoding: chunked"),
        post(ONE).replace(b"Content-Length: 17", b"Content-Length: -17"),
        post(ONE).replace(b"Content-Length: 17", b"Content-Length: +17"),
        post(ONE).replace(b"Content-Length: 17", b"Content-Length: 17, 18"),
        post(ONE, b"Content-Length: 18"),
        post(ONE).replace(b"Content-Length: 17", b"Content-Length: " + b"9" * 40),
        chunked(ONE).replace(b"\r\n11\r\n", b"\r\nxyz\r\n"),
        chunked(ONE).replace(b"\r\n11\r\n", b"\r\n-1\r\n"),
        post(ONE, b"Bad Header: 1"),
        post(ONE, b"Folded: 1\r\n 2"),
        post(ONE, b"Nul: \x00"),
        post(ONE).replace(b"HTTP/1.1", b"HTTP/9.9"),
        post(ONE).replace(b"POST", b"P\xffST"),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x00" * 1000,
        b"GET /none HTTP/0.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_is_no_http_is_the_callers_mistake(api: Api, request_: bytes) -> None:
    answer = send(api, request_)
    # Or the connection is closed without a word.
    assert not answer or 400 <= status(answer) < 500
    assert_serves(api)


@pytest.mark.parametrize(
    "request_",
    [
        b"POST /predict HTTP/1.1\r\n" + b"A: " + b"x" * 4_000_000,
        b"POST /predict HTTP/1.1\r\n" + b"A: x\r\n" * 1_000_000,
        b"POST /" + b"x" * 4_000_000,
        chunked(ONE).removesuffix(b"\r\n") + b"Trailer: x\r\n" * 500_000,
    ],
)
def test_a_head_has_a_greatest_length(api: Api, request_: bytes) -> None:
    answer = b""
    with connection(api) as client:
        # The server closes in the middle.
        with contextlib.suppress(ConnectionError):
            client.sendall(request_)
        answer = until_closed(client)
    assert not answer or status(answer) in (400, 431)
    assert_serves(api)


H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk"


@pytest.mark.parametrize("upgrade", [H2C, b"Connection: Upgrade\r\nUpgrade: websocket"])
def test_a_request_to_upgrade_is_answered_and_its_body_is_not_a_request(
    api: Api, upgrade: bytes
) -> None:
    request = post(ONE, upgrade).replace(b"Connection: close\r\n", b"")
    smuggled = b"PUT /run-pipeline HTTP/1.1\r\nHost: api\r\n\r\n"
    answers = send(api, request, post(smuggled, upgrade).removesuffix(smuggled), smuggled)
    assert [int(part[:3]) for part in answers.split(b"HTTP/1.1 ")[1:]] == [200, 422]
    assert api.http.get("/jobs").json() == {"jobs": []}


def test_head_of_a_stream_ends_at_once(api: Api) -> None:
    job = api.http.put("/run-pipeline").json()["job_id"].encode()
    head = b"HEAD /jobs/%s/events HTTP/1.1\r\nHost: api\r\n\r\n" % job
    answers = send(api, head + post(ONE))
    assert b"content-type: text/event-stream" in answers.partition(b"\r\n\r\n")[0]
    assert [int(part[:3]) for part in answers.split(b"HTTP/1.1 ")[1:]] == [200, 200]


def test_requests_in_one_go_are_answered_in_their_order(api: Api) -> None:
    bodies = [b'[{"Sex": "male", "Age": %d}]' % age for age in range(20)]
    kept = [post(body).replace(b"Connection: close\r\n", b"") for body in bodies[:-1]]
    together = send(api, b"".join([*kept, post(bodies[-1])]))
    alone = b"".join(send(api, post(body)) for body in bodies)
    assert probabilities(together) == probabilities(alone)
    assert len(probabilities(alone)) == 20


def probabilities(answers: bytes) -> list[bytes]:
    return [part.partition(b"]")[0] for part in answers.split(b'"probabilities":[')[1:]]


def test_requests_without_end_in_one_go_are_not_kept(api: Api) -> None:
    with connection(api) as client:
        with contextlib.suppress(ConnectionError):
            for _ in range(1000):
                client.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: api\r\n\r\n" * 100)
        until_closed(client)
    assert_serves(api)


@pytest.mark.parametrize("sent", [b"POST /pre", post(ONE)[:-5], chunked(ONE)[:-5], post(ONE)])
def test_a_client_that_leaves_in_the_middle_is_let_go(api: Api, sent: bytes) -> None:
    for _ in range(20):
        with connection(api) as client:
            client.sendall(sent)
    assert_serves(api)
    assert "Traceback" not in api.log()
