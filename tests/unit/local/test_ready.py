import http.client
import io
import urllib.error
import urllib.request
from email.message import Message
from typing import Any

import pytest

from local.ready import is_ready


class Answer(io.BytesIO):
    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status


@pytest.mark.parametrize(
    ("answer", "ready"),
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
    monkeypatch: pytest.MonkeyPatch, answer: Any, ready: bool
) -> None:
    asked: list[str] = []

    def urlopen(url: str, timeout: float | None = None) -> Answer:
        assert timeout is not None
        asked.append(url)
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Answer)
        return answer

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    assert is_ready("http://127.0.0.1:8000") is ready
    assert asked == ["http://127.0.0.1:8000/health/ready"]
