"""The cloud functions, each run by its provider's own runtime, over a bucket of S3's protocol."""

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.runtime.redis_keys import VERSION
from shared.versions import current
from shared.versions.storage.bucket import BucketStorage
from tests.support.functions import (
    PROVIDERS,
    Answer,
    Function,
    LambdaFunction,
    pack,
    running,
)
from tests.support.lambda_runtime import RuntimeApi
from tests.support.processes import ROOT, Api, Stack, wait_for
from tests.support.versions import publish
from tests.support.weed import BucketServer, bucket_server

RECHECK_SECONDS = 0.5
"""Between two looks, in the functions of these tests."""

PASSENGER = {"Pclass": 1, "Sex": "female", "Age": 29, "Fare": 211.3, "Embarked": "S"}
SOUND = json.dumps([PASSENGER, {**PASSENGER, "Sex": "male", "Age": None}]).encode()
_FOUND = (
    "import importlib.util as u;"
    "print([m for m in ('fastapi', 'celery', 'redis', 'sklearn', 'pandas') if u.find_spec(m)])"
)
"""Prints what the image should not have."""

BODIES = {
    "sound": SOUND,
    "none": b"[]",
    "many": json.dumps([PASSENGER] * 3000).encode(),
    "wrong value": b'[{"Pclass": 7, "Sex": "female"}]',
    "unknown field": json.dumps([{**PASSENGER, "Deck \xe9": 1}]).encode(),
    "not JSON": b'[{"Pclass": 1,',
    "not a list": b"1",
    "not UTF-8": b"\xff\xfe[]",
    "empty": b"",
    "too many rows": json.dumps([PASSENGER] * 10_001).encode(),
}


@dataclass
class Store:
    """A bucket with the versions of a function."""

    server: BucketServer
    prefix: str
    storage: BucketStorage

    def publish(self) -> str:
        """Publish a version and choose it."""
        version = publish(self.storage)
        current.write(self.storage, version)
        return version

    @property
    def variables(self) -> dict[str, str]:
        return self.server.variables | {"LIFEBOAT_MODELS": self.server.url(self.prefix)}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BucketServer]:
    with bucket_server(tmp_path_factory.mktemp("weed")) as server:
        yield server


@pytest.fixture
def store(server: BucketServer, request: pytest.FixtureRequest) -> Store:
    # Nobody else's versions, and no clean-up.
    prefix = f"{time.time_ns():x}"
    client = server.client(prefix=prefix)
    return Store(server, prefix, BucketStorage(f"s3://{server.bucket}", client, client))


@pytest.fixture
def start(store: Store, tmp_path: Path) -> Iterator[Callable[[str], Function]]:
    with contextlib.ExitStack() as stack:

        def start(provider: str) -> Function:
            packed = pack(provider, tmp_path / provider, RECHECK_SECONDS)
            return stack.enter_context(running(provider, packed, store.variables))

        yield start


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Api, Stack]]:
    stack = Stack(tmp_path_factory.mktemp("api"))
    try:
        yield stack.start_api(), stack
    finally:
        stack.end()


def predict(function: Function, body: bytes = SOUND) -> Answer:
    return function.call("POST", "/predict", body, {"Content-Type": "application/json"})


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_function_answers_as_the_api_does(
    provider: str, start: Callable[[str], Function], store: Store, api: tuple[Api, Stack]
) -> None:
    version = store.publish()
    client, stack = api
    publish(stack.models_dir, version=version)
    stack.redis.client.set(VERSION, version)
    client.wait_for_version(version)
    function = start(provider)
    for name, body in BODIES.items():
        for encoding in ({}, {"Content-Encoding": "gzip"}):
            headers = {"Content-Type": "application/json", **encoding}
            found = function.call("POST", "/predict", body, headers)
            expected = client.http.post("/predict", content=body, headers=headers)
            assert found.body == expected.content, name
            assert found.status == expected.status_code, name
            for line in ("content-type", "x-model-version", "accept-encoding"):
                assert found.headers.get(line) == expected.headers.get(line), (name, line)
    for method, path in (("GET", "/predict"), ("POST", "/"), ("POST", "/predict/"), ("PUT", "/x")):
        found = function.call(method, path)
        expected = client.http.request(method, path)
        if path == "/":
            # The API has a page there.
            assert found.status == 404
        else:
            assert (found.status, found.body) == (expected.status_code, expected.content)
            assert found.headers.get("allow") == expected.headers.get("allow")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_version_that_is_chosen_is_served_and_a_frozen_bucket_holds_up_nobody(
    provider: str, start: Callable[[str], Function], store: Store
) -> None:
    function = start(provider)
    nothing = predict(function)
    assert nothing.status == 503
    assert "publish a model" in nothing.body.decode()
    assert nothing.headers["retry-after"] == "5"
    first = store.publish()
    wait_for(lambda: version_of(function) == first)
    second = store.publish()
    wait_for(lambda: version_of(function) == second)
    store.server.freeze()
    try:
        # Each of these calls comes when a look is due.
        for _ in range(3):
            time.sleep(RECHECK_SECONDS)
            began = time.monotonic()
            assert version_of(function) == second
            # 0.25 s, and a machine that is busy. The bucket's own time-out would be 2 s.
            assert time.monotonic() - began < 1.5
    finally:
        store.server.thaw()
    third = store.publish()
    wait_for(lambda: version_of(function) == third)


def version_of(function: Function) -> str | None:
    found = predict(function)
    return found.headers.get("x-model-version") if found.status == 200 else None


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    tag = f"lifeboat-function:test-{os.getpid()}"
    docker("build", "--quiet", "--file", "deploy/functions/aws/Dockerfile", "--tag", tag, ".")
    yield tag
    docker("image", "rm", tag)


@pytest.mark.timeout(900)
def test_lambdas_image_answers_without_rights_and_without_a_disk(image: str, store: Store) -> None:
    version = store.publish()
    with RuntimeApi() as runtime:
        variables = store.variables | {"AWS_LAMBDA_RUNTIME_API": runtime.address}
        container = docker(
            *("run", "--detach", "--network", "host", "--read-only", "--cap-drop", "ALL"),
            *("--security-opt", "no-new-privileges"),
            *(f"--env={name}={value}" for name, value in variables.items()),
            image,
        )
        try:
            wait_for(runtime.is_polled, why=lambda: docker("logs", container))
            function = LambdaFunction(runtime)
            assert version_of(function) == version
            refused = predict(function, BODIES["wrong value"])
            assert (refused.status, refused.headers["x-model-version"]) == (422, version)
            assert docker("exec", container, "id", "-u") == "10001"
            assert docker("exec", container, "python", "-c", _FOUND) == "[]"
        finally:
            docker("rm", "--force", container)


def docker(*arguments: str) -> str:
    found = subprocess.run(["docker", *arguments], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr[-3000:]
    return (found.stdout + found.stderr).strip()
