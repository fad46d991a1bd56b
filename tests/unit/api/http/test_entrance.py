"""Root path, host names and origins: each only if a setting asks for it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY
from pydantic import SecretStr

from api.app import create_app
from api.http.fast_path import FastPath
from api.telemetry.metrics import ANSWERED
from shared.settings import Settings
from tests.unit.api.conftest import lifespan_of

Ask = Callable[..., TestClient]

PREDICT = ("POST", "/predict")
INFER = ("POST", "/v2/models/lifeboat/infer")
LIST = ("GET", "/models")
CHANGE = ("PUT", "/models/current")
SITE = {"Origin": "https://app.example"}
PREFLIGHT = SITE | {"Access-Control-Request-Method": "POST"}


@pytest.fixture
def started(models_dir: Path) -> Iterator[Ask]:
    with ExitStack() as clients:

        def start(**changes: Any) -> TestClient:
            settings = Settings.model_validate(changes)
            app = create_app(settings, lifespan_of(models_dir, settings=settings))
            client = TestClient(app, raise_server_exceptions=False, follow_redirects=False)
            return clients.enter_context(client)

        yield start


def test_without_these_settings_nothing_stands_before_the_fast_path() -> None:
    assert isinstance(create_app(Settings()), FastPath)


# --- allowed hosts -------------------------------------------------------------------------------


def test_only_a_host_that_is_allowed_is_answered(started: Ask) -> None:
    client = started(allowed_hosts="example.org,*.lifeboat.example", host="Lifeboat")
    for host, is_allowed in {
        "example.org": True,
        "EXAMPLE.org.:8000": True,
        "a.b.lifeboat.example": True,
        "localhost:8000": True,
        "127.0.0.1:8000": True,
        "[::1]:8000": True,
        "10.0.0.1:8000": True,
        "lifeboat": True,
        "lifeboat.example": False,
        "evil-lifeboat.example": False,
        "example.org.evil.example": False,
        "evil.example:8000": False,
        "localhost.evil.example": False,
        "10.0.0.1.evil.example": False,
        "[evil]": False,
        "": False,
    }.items():
        for method, path in (PREDICT, INFER, LIST):
            answer = client.request(method, path, headers={"Host": host})
            assert (answer.status_code != 400 or "LIFEBOAT_ALLOWED_HOSTS" not in answer.text) == (
                is_allowed
            ), (host, path)
            assert ("error" if path == INFER[1] else "detail") in answer.json() or is_allowed
            assert answer.headers["X-Request-ID"]
        assert client.get("/health/ready", headers={"Host": host}).status_code == 200


def test_a_host_is_refused_before_the_key_and_with_all_the_hosts_of_a_request(started: Ask) -> None:
    client = started(allowed_hosts="example.org", api_key=SecretStr("sesame"))
    assert client.put("/run-pipeline", headers={"Host": "evil.example"}).status_code == 400
    two = [("Host", "example.org"), ("Host", "evil.example")]
    assert client.get("/models", headers=two).status_code == 400


# --- origins -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path"), [PREDICT, INFER, LIST, CHANGE, ("GET", "/none")])
def test_a_page_of_another_site_may_read_answers_if_its_origin_is_listed(
    started: Ask, method: str, path: str
) -> None:
    client = started(cors_origins="https://app.example", api_key=SecretStr("sesame"))
    asked = client.request(method, path, headers=SITE)
    assert asked.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "X-Model-Version" in asked.headers["Access-Control-Expose-Headers"]
    for headers in ({}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
        other = client.request(method, path, headers=headers)
        assert other.status_code == asked.status_code
        assert "Access-Control-Allow-Origin" not in other.headers
        assert other.headers["Vary"] == asked.headers["Vary"] == "Origin"


def counted() -> float:
    labels = {"method": "OPTIONS", "route": "none", "status": "204"}
    ANSWERED.flush()
    return REGISTRY.get_sample_value("lifeboat_http_requests_total", labels) or 0


@pytest.mark.parametrize("path", ["/predict", INFER[1], "/run-pipeline", "/models", "/none"])
def test_a_preflight_is_answered_before_the_key(started: Ask, path: str) -> None:
    client = started(
        cors_origins="https://app.example", api_key=SecretStr("sesame"), api_key_for="everything"
    )
    before = counted()
    answer = client.options(path, headers=PREFLIGHT)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "PUT" in answer.headers["Access-Control-Allow-Methods"]
    for header in ("X-API-Key", "Authorization", "Content-Type", "Last-Event-ID"):
        assert header in answer.headers["Access-Control-Allow-Headers"]
    assert answer.headers["X-Request-ID"] and counted() == before + 1
    evil = client.options(path, headers=PREFLIGHT | {"Origin": "https://evil.example"})
    assert evil.status_code in (401, 405)
    assert "Access-Control-Allow-Origin" not in evil.headers


def test_an_asterisk_is_every_origin(started: Ask) -> None:
    client = started(cors_origins="*")
    answer = client.options("/predict", headers=PREFLIGHT)
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (204, "*")
    assert client.get("/models", headers=SITE).headers["Access-Control-Allow-Origin"] == "*"


def test_without_origins_there_is_no_cors(started: Ask) -> None:
    client = started(allowed_hosts="testserver")
    answer = client.options("/predict", headers=PREFLIGHT)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    for each in (answer, client.get("/models", headers=SITE)):
        assert "Access-Control-Allow-Origin" not in each.headers and "Vary" not in each.headers


# --- root path -----------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "/tools/lifeboat"])
def test_a_proxy_may_take_the_root_path_away_or_leave_it(started: Ask, prefix: str) -> None:
    client = started(root_path="/tools/lifeboat", api_key=SecretStr("sesame"))
    assert client.post(f"{prefix}/predict", json=[]).status_code == 200
    assert "error" in client.post(f"{prefix}{INFER[1]}", json=[]).json()
    assert client.put(f"{prefix}/models/current").status_code == 401
    assert client.get(f"{prefix}/page/main.js").status_code == 200
    assert client.delete(f"{prefix}/v2").headers["Allow"] == "GET, HEAD"
    servers = client.get(f"{prefix}/openapi.json").json()["servers"]
    assert servers == [{"url": "/tools/lifeboat"}]


def test_the_root_path_alone_leads_to_the_page(started: Ask) -> None:
    client = started(root_path="/lifeboat")
    answer = client.get("/lifeboat")
    assert (answer.status_code, answer.headers["Location"]) == (308, "/lifeboat/")
    assert client.get("/lifeboat/").text == client.get("/").text
    for path in ("/lifeboats/models", "/lifeboat/lifeboat/models", "/other"):
        assert client.get(path).status_code == 404
