"""Stacks of real processes; a Redis-protocol server is needed, and `make test` installs one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import Api, RedisServer, Stack, wait_for


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server for tests of what lies in Redis alone."""
    server = RedisServer(tmp_path / "redis")
    yield server
    server.end()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, small_table: str) -> Iterator[Stack]:
    """Redis, a worker, and the first model trained; for tests that leave it as it was."""
    stack = Stack(tmp_path_factory.mktemp("running"), training_data=small_table)
    stack.start_worker()
    yield stack
    stack.end()


@pytest.fixture(scope="module")
def api(running: Stack) -> Api:
    """Two API processes with a model."""
    api = running.start_api(processes=2)
    job_id = api.http.get("/jobs").json()["jobs"][0]["job_id"]
    job = api.wait_for_end(job_id)
    assert job["status"] == "succeeded", job
    result = job["result"]
    assert isinstance(result, dict)
    wait_for(lambda: api.version_everywhere() == result["model_version"])
    return api
