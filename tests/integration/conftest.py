"""Stacks of real processes; a Redis-protocol server is needed, and `make test` installs one."""

import csv
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import Api, Stack
from tests.versions import TRAINING_DATA


def _write_table(path: Path, *, rows: int) -> Path:
    """The training table cut to, or repeated up to, so many rows."""
    with open(TRAINING_DATA, newline="") as source:
        header, *body = list(csv.reader(source))
    with path.open("w", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(header)
        writer.writerows(itertools.islice(itertools.cycle(body), rows))
    return path


@pytest.fixture(scope="session")
def small_table(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run on it takes about a second."""
    return str(_write_table(tmp_path_factory.mktemp("data") / "small.csv", rows=150))


@pytest.fixture(scope="session")
def large_table(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run on it takes long enough to be interrupted in each stage."""
    return str(_write_table(tmp_path_factory.mktemp("data") / "large.csv", rows=30_000))


@pytest.fixture
def stack(tmp_path: Path, small_table: str) -> Iterator[Stack]:
    """Redis alone; the test starts what it needs."""
    stack = Stack(tmp_path, training_data=small_table)
    yield stack
    stack.end()


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
    api.wait_for_version(result["model_version"])
    return api
