import base64
import http.client
import io
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path

import pytest

from shared.errors import BadTrainingData
from worker.training.source import fetch, shown_as

SECRET_URL = "https://user:sesame@example.org:8443/t.csv?token=sesame#sesame"
SHOWN_URL = "https://example.org:8443/t.csv"
CONTENT = b"Survived,Sex\n0,male\n"


def refusal(source: str) -> str:
    with pytest.raises(BadTrainingData) as refused:
        fetch(source)
    return str(refused.value)


class Served(io.BytesIO):
    """What urlopen gives for a URL whose content is this."""


def serve(
    monkeypatch: pytest.MonkeyPatch, answer: bytes | Exception
) -> list[urllib.request.Request]:
    """Answers every fetch so; the list fills with what was asked."""
    asked: list[urllib.request.Request] = []

    def urlopen(request: urllib.request.Request, timeout: float | None = None) -> Served:
        assert timeout is not None, "a server that says nothing would hold the run up for ever"
        asked.append(request)
        if isinstance(answer, Exception):
            raise answer
        return Served(answer)

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
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
    source = "https://us%40er:open%20sesame@example.org:8443/t.csv?token=sesame"
    assert fetch(source) == CONTENT
    assert shown_as(source) == SHOWN_URL
    (request,) = asked
    assert request.host == "example.org:8443"
    assert request.full_url == f"{SHOWN_URL}?token=sesame"
    scheme, _, token = (request.get_header("Authorization") or "").partition(" ")
    assert (scheme, base64.b64decode(token)) == ("Basic", b"us@er:open sesame")
    # A redirect to another host must not hand them on.
    assert "Authorization" not in request.headers


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
    "source",
    [
        "http://user:sesame@127.0.0.1/t.csv",
        "http://127.0.0.1:port/t.csv",
        "http://127.0.0.1/a table.csv",
        "http://[::1/t.csv",
        "a\0b",
    ],
)
def test_a_source_that_is_no_address_is_refused_and_shows_no_password(source: str) -> None:
    # None of these gets as far as the network.
    assert "sesame" not in refusal(source)


@pytest.mark.parametrize("scheme", ["ftp", "s3"])
def test_the_password_in_a_url_of_a_kind_that_is_not_fetched_is_not_shown(scheme: str) -> None:
    assert "sesame" not in refusal(f"{scheme}://user:sesame@example.org/t.csv")


@pytest.mark.parametrize("content", [b"", b"\n", b" \r\n\t\n"])
def test_an_empty_file_is_refused_as_such(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    message = refusal(str(path))
    assert str(path) in message and "empty" in message
