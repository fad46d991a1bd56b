"""Redis is away for long: the worker waits, is alive, and takes the next job up soon."""

import signal
from pathlib import Path

import pytest

from shared.jobs.job import Stage
from tests.faults.conftest import assert_done_once
from tests.support.held_runs import HeldRuns
from tests.support.processes import Stack, wait_for

pytestmark = pytest.mark.thorough


@pytest.fixture
def alive_file(stack: Stack, tmp_path: Path) -> Path:
    """What the container's health check looks at."""
    stack.settings["alive_file"] = str(tmp_path / "alive")
    return tmp_path / "alive"


def test_a_worker_without_redis_is_alive_and_takes_the_next_job_up_soon(
    stack: Stack, alive_file: Path
) -> None:
    api, worker = stack.start_api(), stack.start_worker()
    first = api.wait_for_end(api.run_pipeline())
    assert first["status"] == "succeeded"
    stack.redis.stop()
    # Once, though it tries again every 2 s (tests/unit/worker/test_broker.py).
    wait_for(lambda: "Redis does not answer" in worker.output())
    alive_file.unlink()
    wait_for(alive_file.exists)
    stack.redis.start()
    wait_for(lambda: api.http.get("/jobs").status_code == 200)
    assert api.wait_for_end(api.run_pipeline())["status"] == "succeeded"
    alive_file.unlink()
    wait_for(alive_file.exists)
    assert worker.output().count("Redis does not answer") == 1
    assert "Redis answers again" in worker.output()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGQUIT])
def test_a_worker_that_is_stopped_in_a_run_without_redis_ends_and_the_run_starts_anew(
    with_model: Stack, held_runs: HeldRuns, stop: signal.Signals
) -> None:
    api, first = with_model.start_api(), with_model.start_worker()
    held_runs.hold_at(Stage.LOAD)
    job_id = api.run_pipeline()
    wait_for(held_runs.is_any_held)
    with_model.redis.stop()
    # The run has an hour left: it is held.
    assert first.stop(stop) == 0
    held_runs.let_go()
    with_model.redis.start()
    with_model.start_worker()
    assert_done_once(with_model, api, job_id, attempts=2)
