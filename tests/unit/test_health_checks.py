"""The health checks of `docker-compose.yml` ask directly, whatever proxy the environment names."""

import http.server
import re
import threading
from collections.abc import Iterator

import pytest

from tests.support.processes import ROOT

COMPOSE = (ROOT / "docker-compose.yml").read_text()
PYTHON = re.findall(r'^ *- "(.*http://127\.0\.0\.1.*)"$', COMPOSE, re.M)


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/asked" else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("code", PYTHON)
def test_a_check_in_python_asks_no_proxy(port: int, code: str) -> None:
    assert "urlopen" not in code
    asked, found = re.subn(r"127\.0\.0\.1:\d+/[\w/]+", f"127.0.0.1:{port}/asked", code)
    assert found == 1
    exec(asked, {})
    with pytest.raises(OSError, match="503"):
        exec(asked.replace("/asked", "/other"), {})


def test_every_other_check_asks_no_proxy_either() -> None:
    assert len(PYTHON) == 2
    commands = re.findall(r'test: \["CMD", "wget", (.*)\]', COMPOSE)
    assert commands and all('"-Y", "off"' in command for command in commands)
