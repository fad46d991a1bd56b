"""API processes that follow a bucket, without Redis: what they serve, whatever becomes of it."""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from shared.versions import current
from shared.versions.manifest import ONNX_FILE
from shared.versions.storage.bucket import BucketStorage
from tests.support.processes import Api, Stack, wait_for
from tests.support.stored import put
from tests.support.titanic import EXAMPLES
from tests.support.versions import publish
from tests.support.weed import BucketServer

_LATE = 15.0
"""Seconds after which a call would have waited for the bucket: obstore's own patience is longer."""


@pytest.fixture
def stack(weed: BucketServer, url: str, tmp_path: Path) -> Iterator[Stack]:
    (tmp_path / "stack").mkdir()
    stack = Stack(tmp_path / "stack", models=url, redis_url="none")
    stack.environment = weed.variables
    yield stack
    stack.end()


def _choose(storage: BucketStorage, version: str) -> str:
    current.write(storage, version)
    return version


def _predicts(api: Api, version: str) -> None:
    answer = api.http.post("/predict", json=EXAMPLES)
    assert (answer.status_code, answer.headers["X-Model-Version"]) == (200, version), answer.text


def _is_refused(api: Api, version: str) -> bool:
    return any("refused: " in line and version in line for line in api.log().splitlines())


def test_each_replica_follows_the_choice_and_says_what_it_serves(
    storage: BucketStorage, stack: Stack
) -> None:
    older = _choose(storage, publish(storage))
    replicas = [stack.start_api() for _ in range(3)]
    newer = publish(storage)
    for version in (older, _choose(storage, newer), _choose(storage, older)):
        current.write(storage, version)
        for api in replicas:
            api.wait_for_version(version)
            _predicts(api, version)
            ready = api.http.get("/health/ready").json()
            assert ready["redis"] == "none" and ready["store_error"] is None
    listed = replicas[0].http.get("/models").json()
    assert [found["model_version"] for found in listed["versions"]] == [newer, older]
    metrics = replicas[0].http.get("/metrics").text
    assert "lifeboat_store_up 1.0" in metrics and "lifeboat_redis_up NaN" in metrics


def test_calls_about_jobs_say_that_this_api_only_serves(
    storage: BucketStorage, stack: Stack
) -> None:
    version = _choose(storage, publish(storage))
    api = stack.start_api()
    for method, path in (
        ("PUT", "/run-pipeline"),
        ("GET", "/jobs"),
        ("GET", "/jobs/" + "0" * 32),
        ("GET", "/processes"),
        ("PUT", "/models/current"),
    ):
        body = {"model_version": version} if path == "/models/current" else None
        answer = api.http.request(method, path, json=body)
        assert answer.status_code == 503 and "only serves" in answer.json()["detail"], path
        assert "Retry-After" not in answer.headers
    _predicts(api, version)


def test_a_frozen_bucket_holds_up_no_prediction_and_other_calls_say_so(
    weed: BucketServer, storage: BucketStorage, stack: Stack
) -> None:
    version = _choose(storage, publish(storage))
    api = stack.start_api()
    _predicts(api, version)
    weed.freeze()
    try:
        for path in ("/models", f"/models/{version}", f"/models/{version}/plots/roc"):
            began = time.monotonic()
            answer = api.http.get(path)
            assert time.monotonic() - began < _LATE
            assert answer.status_code == 503 and "in time" in answer.text, answer.text
            assert answer.headers["Retry-After"]
            _predicts(api, version)
        wait_for(lambda: api.http.get("/health/ready").json()["store_error"], why=api.log)
        assert api.http.get("/health/ready").status_code == 200
        assert "lifeboat_store_up 0.0" in api.http.get("/metrics").text
    finally:
        weed.thaw()
    newer = _choose(storage, publish(storage))
    api.wait_for_version(newer)
    assert api.log().count("the choice cannot be read") == 1


def test_a_process_that_starts_while_the_bucket_is_away_serves_when_it_is_back(
    weed: BucketServer, storage: BucketStorage, stack: Stack
) -> None:
    version = _choose(storage, publish(storage))
    weed.stop()
    try:
        api = stack.start_api()
        assert api.http.get("/health/ready").status_code == 503
        assert api.http.post("/predict", json=EXAMPLES).status_code == 503
        assert api.http.get("/models").status_code == 503
    finally:
        weed.start()
    api.wait_for_version(version)
    _predicts(api, version)


def test_what_a_lying_bucket_gives_is_not_served(storage: BucketStorage, stack: Stack) -> None:
    served = _choose(storage, publish(storage))
    api = stack.start_api()
    damaged, gone = publish(storage), "20991231-235959-abcdef"
    content = storage.read(f"{damaged}/{ONNX_FILE}")
    put(storage, f"{damaged}/{ONNX_FILE}", content[:-1] + bytes([content[-1] ^ 1]))
    for version in (damaged, gone):
        _choose(storage, version)
        wait_for(partial(_is_refused, api, version), why=api.log)
        _predicts(api, served)
    put(storage, current.KEY, b"<html>")
    _predicts(api, served)
    newest = publish(storage)
    put(storage, current.KEY, current.content(newest, 9))
    api.wait_for_version(newest)
