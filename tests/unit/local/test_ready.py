import http.client
import http.server
import importlib
import io
import threading
import urllib.error
import urllib.request
from email.message import Message
from typing import Any

import pytest

from local import ready
from local.ready import is_ready


class Answer(io.BytesIO):
    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(200), True),
        (urllib.error.HTTPError("", 503, "Service Unavailable", Message(), None), False),
        (urllib.error.URLError("refused"), False),
        (ConnectionResetError(), False),
        (TimeoutError(), False),
        (http.client.BadStatusLine("not HTTP"), False),
    ],
)
def test_it_is_ready_when_the_api_says_so(
    monkeypatch: pytest.MonkeyPatch, answer: Any, expected: bool
) -> None:
    asked: list[str] = []

    def urlopen(url: str, timeout: float | None = None) -> Answer:
        assert timeout is not None
        asked.append(url)
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Answer)
        return answer

    monkeypatch.setattr(ready._DIRECTLY, "open", urlopen)
    assert is_ready("http://127.0.0.1:8000") is expected
    assert asked == ["http://127.0.0.1:8000/health/ready"]


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_it_is_asked_directly_whatever_proxy_there_is(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    class Live(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.setenv(name, "http://127.0.0.1:9")
    importlib.reload(ready)
    with http.server.HTTPServer(("127.0.0.1", 0), Live) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        assert ready.is_live(f"http://127.0.0.1:{server.server_port}")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b'{"processes": []}', 0),
        (
            b'{"processes": [{"process": "a:1", "model_version": "v"},'
            b' {"process": "a:2", "model_version": null}]}',
            1,
        ),
        (b"{}", 0),
        (b"not JSON", 0),
        (urllib.error.HTTPError("", 503, "Service Unavailable", Message(), None), 0),
    ],
)
def test_the_processes_that_serve_a_model_are_counted_with_the_key(
    monkeypatch: pytest.MonkeyPatch, answer: Any, expected: int
) -> None:
    def urlopen(asked: urllib.request.Request, timeout: float) -> io.BytesIO:
        assert asked.full_url == "http://127.0.0.1:8000/processes" and timeout
        assert dict(asked.header_items()) == {"X-api-key": "sesame"}
        if isinstance(answer, Exception):
            raise answer
        return io.BytesIO(answer)

    monkeypatch.setattr(ready._DIRECTLY, "open", urlopen)
    assert ready.serving("http://127.0.0.1:8000", "sesame") == expected
