"""Faults come a few times in `make test-all`; often in `make faults`, with load and figures."""

from collections.abc import Callable

import pytest

from benchmarks.results import write_section
from shared.runtime.redis_keys import VERSION
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from tests.support.processes import ROOT, RUN_SECONDS, Api, Stack
from tests.support.versions import publish

FIGURES = ROOT / "benchmarks" / "faults.md"
_LONG_SECONDS = 3600

Times = Callable[[int, int], int]
Figure = Callable[[str], None]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        for item in items:
            item.add_marker(pytest.mark.timeout(_LONG_SECONDS))


@pytest.fixture
def long(request: pytest.FixtureRequest) -> bool:
    """Whether ratios and rates are held too; without it a test asserts behaviour alone."""
    return bool(request.config.getoption("--long"))


@pytest.fixture
def only_long(long: bool) -> None:
    """Of a test that holds nothing but ratios and rates."""
    if not long:
        pytest.skip("a measurement: `make faults` takes it")


@pytest.fixture
def times(long: bool) -> Times:
    """How often: `times(few, many)`."""
    return lambda few, many: many if long else few


@pytest.fixture
def figure(request: pytest.FixtureRequest, long: bool) -> Figure:
    """Notes what was measured: a section of `benchmarks/faults.md`, from the long versions only."""

    def note(text: str) -> None:
        print(text)
        if long:
            write_section(request.node.name, text, FIGURES)

    return note


@pytest.fixture
def with_model(stack: Stack) -> Stack:
    """A stack with a model already, so that nobody but the test asks for a run."""
    stack.redis.client.set(VERSION, publish(stack.models_dir, roc_auc=0.5))
    return stack


def versions_of(stack: Stack, job_id: str) -> list[str]:
    manifests = ModelStore(LocalStorage(stack.models_dir)).manifests()
    return [manifest.model_version for manifest in manifests if manifest.job_id == job_id]


def assert_done_once(
    stack: Stack, api: Api, job_id: str, *, attempts: int, seconds: float = RUN_SECONDS
) -> str:
    """Waits so long for the end of a job; the version it published."""
    job = api.wait_for_end(job_id, seconds=seconds)
    assert (job["status"], job["attempts"]) == ("succeeded", attempts), job
    result = job["result"]
    assert isinstance(result, dict)
    version = str(result["model_version"])
    assert versions_of(stack, job_id) == [version]
    api.wait_for_version(version)
    return version
