"""Each line of a call that changes something says who made the call, and no other line does."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.testclient import TestClient
from pydantic import SecretStr

from api.app import create_app
from api.http.fast_path import FastPath
from api.http.intake import Intake
from api.http.key import ApiKeyRequired, KeyCheck
from shared.runtime import log_context
from shared.settings import Settings
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from tests.support.choices import NotedKey
from tests.support.versions import publish
from tests.unit.api.conftest import lifespan_of

JOB = f"/jobs/{'a' * 32}"
KEYS = "sesame\nopen, sesame\nsimsalabim"
CLIENT = {"client": "testclient"}

Logged = list[tuple[str, dict[str, str]]]


@pytest.fixture
def logged() -> Iterator[Logged]:
    """The API's lines: the message, and who made the call."""
    lines: Logged = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            known = log_context.fields(record)
            about = {key: known[key] for key in known.keys() - {"request_id", "job_id"}}
            lines.append((record.getMessage(), about))

    api, handler = logging.getLogger("api"), Handler()
    level = api.level
    api.setLevel(logging.INFO)
    api.addHandler(handler)
    yield lines
    api.removeHandler(handler)
    api.setLevel(level)


Ask = Callable[..., TestClient]


@pytest.fixture
def started(models_dir: Path) -> Iterator[Ask]:
    with ExitStack() as clients:

        def start(state: dict[str, Any] | None = None, **changes: Any) -> TestClient:
            settings = Settings.model_validate(changes)
            lifespan = lifespan_of(models_dir, settings=settings, **(state or {}))
            client = TestClient(create_app(settings, lifespan), raise_server_exceptions=False)
            return clients.enter_context(client)

        yield start


@pytest.mark.parametrize(("method", "path"), [("PUT", "/run-pipeline"), ("DELETE", JOB)])
def test_a_change_is_logged_with_its_client(
    started: Ask, logged: Logged, method: str, path: str
) -> None:
    headers = {"X-Requested-By": "ada@example"}
    assert started().request(method, path, headers=headers).status_code == 503
    # Why Redis did not answer, and the call.
    assert [about for _, about in logged] == [CLIENT | {"requested_by": "ada@example"}] * 2


@pytest.mark.parametrize("name", ["a", "page", "first start", "!~" * 32])
def test_a_name_of_printable_ascii_is_logged(started: Ask, logged: Logged, name: str) -> None:
    started().put("/none", headers={"X-Requested-By": name})
    assert logged == [("PUT no route: 404", CLIENT | {"requested_by": name})]


@pytest.mark.parametrize("name", [b"", b"a" * 65, b"\xe9", b"\x7f", b"a\tb", b"a\x01", b"\xc3\xa9"])
def test_any_other_name_is_left_out(started: Ask, logged: Logged, name: bytes) -> None:
    started().put("/none", headers=[(b"X-Requested-By", name)])
    assert logged == [("PUT no route: 404", CLIENT)]


def test_of_several_names_the_first_counts_as_for_the_job(started: Ask, logged: Logged) -> None:
    headers = [("X-Requested-By", "first"), ("X-Requested-By", "second")]
    started().put("/none", headers=headers)
    assert logged[0][1]["requested_by"] == "first"


# --- which key -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({"X-API-Key": "sesame"}, "key 1"),
        ({"X-API-Key": "open, sesame"}, "key 2"),
        ({"Authorization": "Bearer simsalabim"}, "key 3"),
    ],
)
def test_of_several_keys_the_place_of_the_one_that_opened_is_logged(
    started: Ask, logged: Logged, headers: dict[str, str], name: str
) -> None:
    started(api_key=SecretStr(KEYS)).delete(JOB, headers=headers)
    assert logged[-1] == ("DELETE /jobs/{job_id}: 503", CLIENT | {"api_key": name})


@pytest.mark.parametrize(
    ("keys", "given"), [("sesame", "sesame"), (KEYS, "sesam"), (KEYS, ""), (None, "sesame")]
)
def test_one_key_needs_no_place_and_a_wrong_one_has_none(
    started: Ask, logged: Logged, keys: str | None, given: str
) -> None:
    client = started(**({} if keys is None else {"api_key": SecretStr(keys)}))
    client.delete(JOB, headers={"X-API-Key": given})
    assert logged and all(about == CLIENT for _, about in logged)


# --- the fast path -------------------------------------------------------------------------------

router = APIRouter()


@router.put("/fast", dependencies=[ApiKeyRequired])
async def put_fast(request: Request) -> Response:
    logging.getLogger("api.test").info("at work")
    return Response()


@router.post("/fast", dependencies=[ApiKeyRequired])
async def post_fast(request: Request) -> Response:
    logging.getLogger("api.test").info("at work")
    return Response()


def test_the_fast_path_says_the_same(logged: Logged) -> None:
    api = FastAPI()
    api.include_router(router)
    fast = FastPath(api, router.routes, Intake(1000), KeyCheck(["sesame", "simsalabim"]))
    headers = {"X-API-Key": "simsalabim", "X-Requested-By": "ada"}
    caller = CLIENT | {"requested_by": "ada", "api_key": "key 2"}
    client = TestClient(fast)
    assert client.put("/fast", headers=headers).status_code == 200
    assert logged == [("at work", caller), ("PUT /fast: 200", caller)]
    logged.clear()
    # A prediction is not asked who makes it.
    assert client.post("/fast", headers=headers).status_code == 200
    assert logged == [("at work", {})]


def test_a_call_that_changes_nothing_says_nothing_of_a_change_before_it(
    started: Ask, logged: Logged
) -> None:
    client = started()
    log_context.caller.set({"requested_by": "somebody else"})
    client.put("/none", headers={"X-Requested-By": "ada"})
    client.get("/jobs")
    (_, change), (_, read) = logged
    assert change == CLIENT | {"requested_by": "ada"}
    assert read == {}


# --- before the fast path, and behind it ---------------------------------------------------------


def test_a_change_for_an_unknown_host_is_logged_with_its_client(
    started: Ask, logged: Logged
) -> None:
    client = started(allowed_hosts="example.org")
    assert client.put("/models/current", headers={"Host": "evil.example"}).status_code == 400
    assert logged == [("PUT no route: 400", CLIENT)]


def test_behind_a_trusted_proxy_the_client_is_the_one_that_the_proxy_names(
    started: Ask, logged: Logged
) -> None:
    client = started(trusted_proxies="10.0.0.1")
    headers = {"X-Forwarded-For": "198.51.100.1, 203.0.113.7"}
    client.put("/none", headers=headers)
    assert logged.pop()[1] == CLIENT
    behind = TestClient(client.app, client=("10.0.0.1", 4711), raise_server_exceptions=False)
    behind.put("/none", headers=headers)
    assert logged.pop()[1] == {"client": "203.0.113.7"}


def test_a_choice_says_who_chose(started: Ask, logged: Logged, models_dir: Path) -> None:
    version = publish(models_dir)
    models = ModelStore(LocalStorage(models_dir))
    client = started({"version_key": NotedKey(models)}, api_key=SecretStr(KEYS))
    headers = {"X-API-Key": "open, sesame", "X-Requested-By": "ada"}
    choice = {"model_version": version}
    assert client.put("/models/current", json=choice, headers=headers).status_code == 200
    caller = CLIENT | {"requested_by": "ada", "api_key": "key 2"}
    assert logged == [
        ("chosen as the version to serve", caller | {"model_version": version}),
        ("PUT /models/current: 200", caller),
    ]
