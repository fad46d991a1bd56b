"""A function's answers before, and beside, those that the API gives: tests/cloud compares these."""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.serving.served_model import ServedModel
from api.telemetry import metrics
from deploy.functions import predict
from deploy.functions.model import Model
from deploy.functions.predict import answer, application
from tests.support.versions import publish

BODY = b'[{"Pclass": 1, "Sex": "female", "Age": 29, "Fare": 211.3, "Embarked": "S"}]'


@pytest.fixture(autouse=True)
def function(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Forget the function that another test has called; this one's versions lie in a folder."""
    monkeypatch.setenv("LIFEBOAT_MODELS", str(tmp_path))
    predict._built.cache_clear()
    yield
    predict._built.cache_clear()


def test_versions_in_a_folder_are_served(tmp_path: Path) -> None:
    version = publish(tmp_path)
    found = answer("POST", "/predict", {}, BODY)
    assert (found.status, found.headers["x-model-version"]) == (200, version)
    assert json.loads(found.body)["model_version"] == version


def test_a_body_above_the_limit_is_refused_before_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIFEBOAT_MAX_BODY_BYTES", "10")
    found = answer("POST", "/predict", {}, BODY)
    assert (found.status, b"more than 10 bytes" in found.body) == (413, True)


def test_a_function_that_should_check_our_keys_answers_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    publish(tmp_path)
    monkeypatch.setenv("LIFEBOAT_API_KEY", "secret")
    monkeypatch.setenv("LIFEBOAT_API_KEY_FOR", "everything")
    with pytest.raises(ValueError, match="checks no keys"):
        answer("POST", "/predict", {}, BODY)


def test_calls_that_come_first_together_load_the_model_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    publish(tmp_path)
    loads: list[str] = []
    load = Model._load

    def counted(model: Model, version: str) -> ServedModel:
        loads.append(version)
        return load(model, version)

    monkeypatch.setattr(Model, "_load", counted)
    threads = [
        threading.Thread(target=answer, args=("POST", "/predict", {}, BODY)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1


def test_nothing_piles_up_for_metrics_that_nobody_asks_for(tmp_path: Path) -> None:
    publish(tmp_path)
    for _ in range(3):
        assert answer("POST", "/predict", {}, BODY).status == 200
    assert not metrics.PREDICTED._waiting


def test_as_an_asgi_application_it_starts_stops_and_takes_bodies_in_pieces(tmp_path: Path) -> None:
    version = publish(tmp_path)
    assert [each["type"] for each in _run({"type": "lifespan"}, {}, {})] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": []}
    pieces = {"body": BODY[:20], "more_body": True}, {"body": BODY[20:]}
    start, body = _run(scope, *pieces)
    assert start["status"] == 200
    assert (b"x-model-version", version.encode()) in start["headers"]
    assert body["body"] == answer("POST", "/predict", {}, BODY).body


def _run(scope: dict[str, Any], *received: dict[str, Any]) -> list[Any]:
    sent: list[Any] = []
    waiting = [*received]

    async def receive() -> Any:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(application(scope, receive, send))
    return sent
