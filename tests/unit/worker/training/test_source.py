import base64
import http.client
import http.server
import io
import os
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from email.message import Message
from pathlib import Path

import pytest

from shared.errors import BadTrainingData, RunCancelled
from worker.training import source
from worker.training.source import fetch, shown_as

SECRET_URL = "https://user:sesame@example.org:8443/t.csv?token=sesame#sesame"
SHOWN_URL = "https://example.org:8443/t.csv"
CONTENT = b"Survived,Sex\n0,male\n"


def refusal(source: str) -> str:
    with pytest.raises(BadTrainingData) as refused:
        fetch(source)
    return str(refused.value)


class Served(io.BytesIO):
    """What a URL whose content is this opens as."""

    headers = Message()
    length = 0


def serve(
    monkeypatch: pytest.MonkeyPatch, answer: bytes | Exception
) -> list[urllib.request.Request]:
    """Answers every fetch so; the list fills with what was asked."""
    asked: list[urllib.request.Request] = []

    class Opener:
        def open(self, request: urllib.request.Request, timeout: float | None = None) -> Served:
            assert timeout is not None, "a silent server would hold the run up for ever"
            asked.append(request)
            if isinstance(answer, Exception):
                raise answer
            return Served(answer)

    monkeypatch.setattr(source, "_opener", lambda *_: Opener())
    return asked


def test_a_url_is_fetched_anew_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = serve(monkeypatch, CONTENT)
    for _ in range(2):
        assert fetch("https://example.org/t") == CONTENT
    assert [request.full_url for request in asked] == ["https://example.org/t"] * 2
    assert not any(request.has_header("Authorization") for request in asked)


def test_a_url_is_fetched_with_its_secrets_and_shown_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = serve(monkeypatch, CONTENT)
    url = "https://us%40er:open%20sesame@example.org:8443/t.csv?token=sesame"
    assert fetch(url) == CONTENT
    assert shown_as(url) == SHOWN_URL
    (request,) = asked
    assert request.host == "example.org:8443"
    assert request.full_url == f"{SHOWN_URL}?token=sesame"
    scheme, _, token = (request.get_header("Authorization") or "").partition(" ")
    assert (scheme, base64.b64decode(token)) == ("Basic", b"us@er:open sesame")
    # A redirect to another host must not hand them on.
    assert "Authorization" not in request.headers


def test_blanks_and_letters_of_a_url_are_written_as_http_has_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = serve(monkeypatch, CONTENT)
    fetch("http://dátos.example:81/a í/100%/%41.csv?q=ñ ü&x=%2F#part")
    assert asked[0].full_url == (
        "http://xn--dtos-5na.example:81/a%20%C3%AD/100%25/%41.csv?q=%C3%B1%20%C3%BC&x=%2F#part"
    )


# --- what ends a download ------------------------------------------------------------------------


LOCATIONS = {
    "to-ftp": "ftp://user:sesame@example.org/t.csv",
    "to-file": "file:///etc/sesame",
    "to-data": "data:text/csv,sesame",
    "to-short": "/short",
    "to-to-ftp": "/to-ftp",
    "to-whole": "whole",
}


class Answers(http.server.BaseHTTPRequestHandler):
    """Redirects, breaks off, encodes, or sends more than is allowed: as the path says."""

    def do_GET(self) -> None:
        what = self.path[1:]
        if what in LOCATIONS:
            self.send_response(302)
            self.send_header("Location", LOCATIONS[what])
            self.end_headers()
            return
        self.send_response(200)
        sent = {"short": 100}.get(what, 1000)
        if what != "endless":
            self.send_header("Content-Length", "1000")
        if what == "coded":
            self.send_header("Content-Encoding", "br")
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(b"x" * sent)
            while what == "endless":
                self.wfile.write(b"x" * 100_000)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("to-ftp", "scheme ftp; expected http"),
        ("to-file", "scheme file; expected http"),
        ("to-data", "scheme data; expected http"),
        ("to-to-ftp", "scheme ftp; expected http"),
        ("to-short", "IncompleteRead"),
        ("short", "IncompleteRead"),
        ("coded", "encoding br"),
        ("endless", "LIFEBOAT_TRAINING_DATA_MAX_BYTES"),
    ],
)
def test_a_download_that_goes_wrong_is_named(server: str, path: str, said: str) -> None:
    with pytest.raises(BadTrainingData, match=said) as refused:
        fetch(f"{server}/{path}", most_bytes=500_000)
    assert "sesame" not in str(refused.value)


def test_a_redirect_to_http_is_followed(server: str) -> None:
    assert fetch(f"{server}/to-whole") == b"x" * 1000


@pytest.mark.parametrize("kind", ["pipe", "silent server"])
@pytest.mark.parametrize("end", ["checkpoint", "time-out"])
def test_a_download_ends_though_nothing_comes(tmp_path: Path, kind: str, end: str) -> None:
    def cancel() -> None:
        raise RunCancelled("job")

    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/t.csv"
        if kind == "pipe":
            address = str(tmp_path / "pipe")
            os.mkfifo(address)
        if end == "checkpoint":
            with pytest.raises(RunCancelled):
                fetch(address, checkpoint=cancel)
        else:
            with pytest.raises(BadTrainingData, match="LIFEBOAT_TRAINING_DATA_TIMEOUT_SECONDS"):
                fetch(address, timeout_seconds=0.01)


def test_what_a_pipe_gives_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=[CONTENT * 10_000])
    writer.start()
    assert fetch(str(path)) == CONTENT * 10_000
    writer.join()


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(CONTENT)
    assert fetch(str(path), most_bytes=len(CONTENT)) == CONTENT
    for source_of_too_much in (str(path), "/dev/zero"):
        with pytest.raises(BadTrainingData, match="LIFEBOAT_TRAINING_DATA_MAX_BYTES"):
            fetch(source_of_too_much, most_bytes=len(CONTENT) - 1)


# --- nothing to read -----------------------------------------------------------------------------


def test_a_file_that_is_not_there_is_named_and_the_setting_too(tmp_path: Path) -> None:
    message = refusal(str(tmp_path / "none.csv"))
    assert str(tmp_path / "none.csv") in message
    assert "No such file" in message
    assert "LIFEBOAT_TRAINING_DATA" in message


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    assert "directory" in refusal(str(tmp_path))


def http_error(status: int, reason: str) -> Exception:
    return urllib.error.HTTPError(SECRET_URL, status, reason, Message(), None)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (http_error(404, "Not Found"), "404 Not Found"),
        (http_error(500, "Internal Server Error"), "500 Internal Server Error"),
        (urllib.error.URLError(OSError(-2, "Name or service not known")), "Name or service"),
        (urllib.error.URLError("unknown host"), "unknown host"),
        (ConnectionResetError(104, "Connection reset by peer"), "Connection reset by peer"),
        (TimeoutError("timed out"), "timed out"),
        # Fetching raises these too, and neither is an OSError.
        (http.client.IncompleteRead(b"Survived,", 1000), "IncompleteRead"),
        (http.client.InvalidURL("nonnumeric port: 'http'"), "port"),
    ],
)
def test_a_url_that_cannot_be_fetched_is_named_with_the_reason_and_without_its_secrets(
    monkeypatch: pytest.MonkeyPatch, answer: Exception, said: str
) -> None:
    serve(monkeypatch, answer)
    message = refusal(SECRET_URL)
    assert message.startswith(SHOWN_URL)
    assert said in message
    assert "sesame" not in message


@pytest.mark.parametrize(
    "address",
    [
        "http://user:sesame@127.0.0.1:port/t.csv",
        "http://user:sesame@a host/t.csv",
        "http://user:sesame@[::1/t.csv",
        "a\0b",
    ],
)
def test_a_source_that_is_no_address_is_refused_and_shows_no_password(address: str) -> None:
    # None of these gets as far as the network.
    assert "sesame" not in refusal(address)


@pytest.mark.parametrize("scheme", ["ftp", "s3"])
def test_the_password_in_a_url_of_a_kind_that_is_not_fetched_is_not_shown(scheme: str) -> None:
    assert "sesame" not in refusal(f"{scheme}://user:sesame@example.org/t.csv")


@pytest.mark.parametrize("content", [b"", b"\n", b" \r\n\t\n"])
def test_an_empty_file_is_refused_as_such(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    message = refusal(str(path))
    assert str(path) in message and "empty" in message
