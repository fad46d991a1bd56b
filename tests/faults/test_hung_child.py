"""The processes around a run hang or die: each is replaced, and the worker goes on."""

import psutil
import pytest

from shared.jobs.job import Stage
from tests.faults.conftest import assert_done_once
from tests.support.held_runs import HeldRuns
from tests.support.processes import RUN_SECONDS, Process, Stack, children, wait_for

pytestmark = pytest.mark.thorough


def _child(worker: Process, program: str) -> psutil.Process:
    """Of Celery's main process: `spawn_main` runs jobs, `semaphore_tracker` is billiard's own."""

    def found() -> psutil.Process | None:
        for child in children(worker.pid):
            if child.status() != psutil.STATUS_ZOMBIE and program in " ".join(child.cmdline()):
                return child
        return None

    return wait_for(found)


def test_a_child_that_hangs_is_replaced_whether_it_waits_or_runs(
    with_model: Stack, held_runs: HeldRuns
) -> None:
    api, worker = with_model.start_api(), with_model.start_worker()
    idle = _child(worker, "spawn_main")
    # It has started, and shows that it moves.
    wait_for(lambda: idle.net_connections("udp"))
    idle.suspend()
    assert_done_once(with_model, api, api.run_pipeline(force=True), attempts=1)
    assert not idle.is_running()

    held_runs.hold_at(Stage.EVALUATE)
    job_id = api.run_pipeline(force=True)
    wait_for(held_runs.is_any_held, seconds=RUN_SECONDS)
    held_runs.let_go()
    running = _child(worker, "spawn_main")
    running.suspend()
    assert_done_once(with_model, api, job_id, attempts=2)
    assert not running.is_running()
    assert worker.output().count("has not moved for") == 2


def test_a_worker_whose_semaphore_tracker_is_killed_starts_new_children(with_model: Stack) -> None:
    api, worker = with_model.start_api(), with_model.start_worker()
    tracker, child = _child(worker, "semaphore_tracker"), _child(worker, "spawn_main")
    tracker.kill()
    child.kill()
    assert_done_once(with_model, api, api.run_pipeline(force=True), attempts=1)
    assert _child(worker, "semaphore_tracker") != tracker
    assert worker.stop() == 0
    # What the new tracker was told of is all that it is asked to forget.
    assert "KeyError" not in worker.output()
