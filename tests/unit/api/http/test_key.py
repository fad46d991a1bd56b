"""The key is checked by the head of a request, before its body is read, on either way."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.testclient import TestClient
from pydantic import SecretStr

from api.app import create_app
from api.http.errors import HANDLERS
from api.http.fast_path import FastPath
from api.http.intake import Intake
from api.http.key import ApiKeyRequired, KeyCheck
from shared.settings import Settings
from tests.unit.api.conftest import lifespan_of

KEY = KeyCheck(["simsalabim", "sesame", "a, b"])

fast = APIRouter()


@fast.post("/fast", dependencies=[ApiKeyRequired])
async def post_fast(request: Request) -> Response:
    return Response(request.scope["body"])


routed = APIRouter()


@routed.put("/routed/{thing}", dependencies=[ApiKeyRequired])
async def put_routed(thing: str) -> str:
    return thing


@routed.get("/routed/{thing}")
async def get_routed(thing: str) -> str:
    return thing


WAYS = [("POST", "/fast"), ("PUT", "/routed/a")]


def api_without_the_check() -> FastAPI:
    api = FastAPI(exception_handlers=HANDLERS)
    api.include_router(fast)
    api.include_router(routed)
    return api


@pytest.fixture
def app() -> FastPath:
    return FastPath(api_without_the_check(), fast.routes, Intake(1000), KEY)


class Asked:
    """One request: what it was answered, and whether its body was asked for."""

    def __init__(
        self, app: FastPath, method: str, path: str, *headers: tuple[bytes, bytes]
    ) -> None:
        self.sent: list[dict[str, Any]] = []
        self.body_was_read = False
        scope: dict[str, Any] = {
            **{"type": "http", "http_version": "1.1", "method": method, "path": path},
            **{"raw_path": path.encode(), "query_string": b"", "headers": [*headers], "state": {}},
        }
        asyncio.run(app(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        self.body_was_read = True
        return {"type": "http.request", "body": b"body", "more_body": False}

    async def _send(self, message: Any) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        status: int = self.sent[0]["status"]
        return status

    def headers(self, name: bytes) -> Iterator[bytes]:
        return (value for found, value in self.sent[0]["headers"] if found == name)


@pytest.mark.parametrize(("method", "path"), WAYS)
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([], 401),
        ([(b"x-api-key", b"")], 401),
        ([(b"x-api-key", b"simsalabim sesame")], 403),
        ([(b"x-api-key", b"a")], 403),
        ([(b"authorization", b"Basic sesame")], 401),
        ([(b"authorization", b"Bearer ")], 401),
        ([(b"x-api-key", b"simsim")], 403),
        ([(b"x-api-key", b"simsim"), (b"x-api-key", b"sesame")], 403),
        ([(b"x-api-key", b"simsim"), (b"authorization", b"Bearer sesame")], 403),
        ([(b"authorization", b"Bearer simsim")], 403),
    ],
)
def test_a_refusal_does_not_wait_for_the_body(
    app: FastPath, method: str, path: str, headers: list[tuple[bytes, bytes]], status: int
) -> None:
    asked = Asked(app, method, path, *headers)
    assert (asked.status, asked.body_was_read) == (status, False)
    # RFC 9110, 15.5.2
    assert [*asked.headers(b"www-authenticate")] == [b'Bearer realm="lifeboat"'] * (status == 401)


@pytest.mark.parametrize(("method", "path"), WAYS)
@pytest.mark.parametrize(
    "header",
    [
        (b"x-api-key", b"sesame"),
        (b"authorization", b"Bearer sesame"),
        (b"authorization", b"bearer  sesame "),
        (b"x-api-key", b"sesame \t"),
        (b"x-api-key", b"simsalabim"),
        (b"authorization", b"Bearer a, b"),
    ],
)
def test_the_key_opens(app: FastPath, method: str, path: str, header: tuple[bytes, bytes]) -> None:
    asked = Asked(app, method, path, header)
    assert (asked.status, asked.body_was_read) == (200, True)


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/routed/a", 200), ("PUT", "/none", 404)]
)
def test_other_calls_need_no_key(app: FastPath, method: str, path: str, status: int) -> None:
    assert Asked(app, method, path).status == status


@pytest.mark.parametrize(("method", "path"), WAYS)
@pytest.mark.parametrize(
    ("header", "closes"),
    [
        ((b"accept", b"*/*"), False),
        ((b"content-length", b"0"), False),
        ((b"content-length", b"4"), True),
        ((b"transfer-encoding", b"chunked"), True),
    ],
)
def test_a_body_that_may_follow_is_not_the_next_request(
    app: FastPath, method: str, path: str, header: tuple[bytes, bytes], closes: bool
) -> None:
    asked = Asked(app, method, path, header)
    assert asked.status == 401
    assert [*asked.headers(b"connection")] == [b"close"] * closes


def test_each_key_is_compared_whichever_of_them_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(other)
        return one == other

    monkeypatch.setattr("hmac.compare_digest", compare)
    KEY.check_headers([(b"x-api-key", b"simsalabim")])
    assert compared == [b"simsalabim", b"sesame", b"a, b"]


@pytest.mark.parametrize(("method", "path"), WAYS)
def test_a_route_that_nobody_checked_stays_closed(method: str, path: str) -> None:
    """With the right key, too: what matters is that the check was passed by."""
    with TestClient(api_without_the_check(), raise_server_exceptions=False) as client:
        assert client.request(method, path, headers={"X-API-Key": "sesame"}).status_code == 500


@pytest.mark.parametrize("path", ["/routed/a", "/below/routed/a"])
def test_the_path_is_the_one_that_fastapi_matches(app: FastPath, path: str) -> None:
    client = TestClient(app, root_path="/below")
    assert client.put(path).status_code == 401
    assert client.put(path, headers={"X-API-Key": "sesame"}).status_code == 200


# --- a key for everything ------------------------------------------------------------------------


@pytest.fixture
def closed(models_dir: Path) -> Iterator[TestClient]:
    settings = Settings(api_key=SecretStr("sesame"), api_key_for="everything", _env_file=None)
    app = create_app(settings, lifespan_of(models_dir))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def test_with_a_key_for_everything_only_health_and_files_stay_open(closed: TestClient) -> None:
    for path in (
        *("/predict", "/v2/models/lifeboat/infer", "/v2/models/lifeboat/infer/", "/models", "/v2"),
        *("/v2/models/lifeboat", "/v2/models/lifeboat/versions/x/infer", "/jobs", "/jobs/none"),
        *("/jobs/none/events", "/models/none", "/models/none/plots/roc", "/processes", "/metrics"),
        *("/none", "/run-pipeline", "/models/current", "/health", "//page/main.js"),
    ):
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"):
            answer = closed.request(method, path, content=b"{bad" * 1000)
            assert answer.status_code == 401, (method, path)
    for path in (
        *("/", "/docs", "/openapi.json", "/page/main.js", "/docs/swagger-ui.css", "/health/live"),
        *("/v2/health/live", "/v2/health/live/"),
    ):
        assert closed.get(path).status_code == closed.head(path).status_code == 200, path


def test_openapi_says_what_needs_the_key(closed: TestClient) -> None:
    paths = closed.get("/openapi.json").json()["paths"]
    is_open = {
        path
        for path, methods in paths.items()
        for operation in methods.values()
        if "security" not in operation or "401" not in operation["responses"]
    }
    assert is_open == {"/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready"}
