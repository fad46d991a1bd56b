"""Workers die and messages get lost: each job still ends once, and says how."""

import contextlib
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from shared.jobs.job import Stage
from shared.jobs.store import MAX_DEATHS
from shared.runtime.redis_keys import ACTIVE_JOB, QUEUE, job
from tests.faults.conftest import Times, assert_done_once, versions_of
from tests.support.held_runs import HeldRuns
from tests.support.processes import RUN_SECONDS, Process, Stack, children, wait_for
from tests.support.versions import publish

_BACK_SECONDS = 30.0
"""Within which a job has succeeded once a worker is back."""


def _back_seconds(long: bool) -> float:
    """The promise is a figure, which `make faults` holds: it says nothing beside other tests."""
    return _BACK_SECONDS if long else RUN_SECONDS


def _training_process(worker: Process) -> int:
    """The child of Celery's main process that runs the job: the one that takes memory."""
    return max(children(worker.pid), key=lambda child: child.memory_info().rss).pid


@dataclass(frozen=True)
class Moment:
    """When a worker is killed: as soon as so much of the run is done."""

    progress: float
    child_only: bool = False

    def wait(self, stack: Stack, job_id: str) -> None:
        def is_there() -> bool:
            record = stack.redis.client.hgetall(job(job_id))
            assert record["status"] in ("queued", "running"), f"too late: {record}"
            return record["status"] == "running" and float(record["progress"]) >= self.progress

        wait_for(is_there, pause=0.005)


def _spread_over_the_run(times: Times) -> list[Moment]:
    """Over the stages and folds, from the claim on; the child alone in every third."""
    count = times(2, 30)
    return [Moment(progress=0.97 * turn / count, child_only=turn % 3 == 1) for turn in range(count)]


def test_a_worker_killed_at_any_moment_costs_no_job(
    with_model: Stack, medium_table: str, times: Times, long: bool
) -> None:
    with_model.settings["training_data"] = medium_table
    api, worker = with_model.start_api(), with_model.start_worker()
    for moment in _spread_over_the_run(times):
        job_id = api.run_pipeline()
        moment.wait(with_model, job_id)
        if moment.child_only:
            os.kill(_training_process(worker), signal.SIGKILL)
        else:
            worker.kill()
            assert api.run_pipeline() == job_id
            worker = with_model.start_worker()
        assert_done_once(with_model, api, job_id, attempts=2, seconds=_back_seconds(long))
        assert worker.is_running()


@pytest.mark.thorough
@pytest.mark.parametrize("end", ["succeeded", "cancelled"])
def test_a_worker_killed_between_publication_and_the_last_step_leaves_one_version_or_none(
    with_model: Stack, held_runs: HeldRuns, end: str
) -> None:
    api, worker = with_model.start_api(), with_model.start_worker()
    held_runs.hold_before_the_last_step()
    job_id = api.run_pipeline()
    wait_for(held_runs.is_any_held, seconds=RUN_SECONDS)
    assert api.job(job_id)["status"] == "running"
    (published,) = versions_of(with_model, job_id)
    if end == "cancelled":
        api.http.delete(f"/jobs/{job_id}").raise_for_status()
    os.kill(_training_process(worker), signal.SIGKILL)
    held_runs.let_go()
    if end == "succeeded":
        assert assert_done_once(with_model, api, job_id, attempts=2) == published
        return
    assert api.wait_for_end(job_id)["status"] == "cancelled"
    # What nobody asked for goes with the next run.
    assert_done_once(with_model, api, api.run_pipeline(force=True), attempts=1)
    wait_for(lambda: versions_of(with_model, job_id) == [])


@pytest.mark.thorough
def test_a_worker_killed_with_a_message_that_it_has_not_recorded_loses_no_job(
    with_model: Stack, long: bool
) -> None:
    stack = with_model
    api, worker = stack.start_api(), stack.start_worker()
    # The main process takes messages, its child records them.
    family = children(worker.pid)
    for process in family:
        process.suspend()
    job_id = api.run_pipeline()
    wait_for(lambda: stack.redis.client.llen(QUEUE) == 0, why="the message is not taken")
    worker.kill()
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    assert api.job(job_id)["status"] == "queued"
    stack.start_worker()
    assert_done_once(stack, api, job_id, attempts=1, seconds=_back_seconds(long))


@pytest.mark.thorough
def test_a_job_that_kills_its_worker_each_time_fails_and_frees_the_lock(
    with_model: Stack, held_runs: HeldRuns
) -> None:
    api = with_model.start_api()
    job_id = api.run_pipeline()
    for _ in range(MAX_DEATHS):
        held_runs.hold_at(Stage.EVALUATE)
        worker = with_model.start_worker()
        wait_for(held_runs.is_any_held, seconds=RUN_SECONDS)
        worker.kill()
        wait_for(lambda: api.job(job_id)["status"] != "running")
        held_runs.let_go()
    job = api.job(job_id)
    assert (job["status"], job["attempts"]) == ("failed", MAX_DEATHS)
    assert "died 3 times" in str(job["error"])
    assert versions_of(with_model, job_id) == []
    assert api.run_pipeline() != job_id


@pytest.mark.thorough
def test_a_message_that_got_lost_is_sent_again(with_model: Stack) -> None:
    api = with_model.start_api()
    job_id = api.run_pipeline()
    with_model.redis.client.delete(QUEUE)
    with_model.start_worker()
    assert_done_once(with_model, api, job_id, attempts=1)


@pytest.mark.thorough
def test_without_a_worker_messages_do_not_pile_up(stack: Stack) -> None:
    publish(stack.models_dir)
    api = stack.start_api()
    api.run_pipeline()
    # Longer than the watch waits for somebody to take the job up.
    watched = threading.Event()
    watched.wait(12)
    assert stack.redis.client.llen(QUEUE) == 1


@pytest.mark.thorough
def test_a_worker_that_is_stopped_hands_its_run_to_another(
    with_model: Stack, held_runs: HeldRuns
) -> None:
    api, first = with_model.start_api(), with_model.start_worker()
    held_runs.hold_at(Stage.EVALUATE)
    job_id = api.run_pipeline()
    wait_for(held_runs.is_any_held, seconds=RUN_SECONDS)
    second = with_model.start_worker()
    assert first.stop() == 0
    held_runs.let_go()
    assert "handed back" in first.output()
    assert_done_once(with_model, api, job_id, attempts=2)
    assert with_model.redis.client.hget(f"lifeboat:job:{job_id}", "deaths") == "0"
    assert second.is_running()


@pytest.mark.thorough
def test_a_run_that_takes_too_long_fails_and_the_worker_goes_on(
    with_model: Stack, held_runs: HeldRuns
) -> None:
    api = with_model.start_api()
    worker = with_model.start_worker(job_timeout_seconds="3")
    held_runs.hold_at(Stage.LOAD)
    job = api.wait_for_end(api.run_pipeline())
    assert job["status"] == "failed"
    assert "LIFEBOAT_JOB_TIMEOUT_SECONDS" in str(job["error"])
    again = api.run_pipeline()
    assert again != job["job_id"]
    wait_for(lambda: api.job(again)["started_at"])
    assert worker.is_running()


@pytest.mark.thorough
def test_two_workers_and_many_clients_make_one_run_at_a_time(
    with_model: Stack, held_runs: HeldRuns, times: Times
) -> None:
    api = with_model.start_api(processes=2)
    with_model.start_worker(), with_model.start_worker()
    seen: set[str] = set()
    with ThreadPoolExecutor(10) as clients:
        for _ in range(times(3, 100)):
            # The first to ask must not have its answer before the last has asked.
            held_runs.hold_at(Stage.LOAD)
            (job_id,) = set(clients.map(lambda _: api.run_pipeline(), range(10)))
            held_runs.let_go()
            assert job_id not in seen
            seen.add(job_id)
            assert_done_once(with_model, api, job_id, attempts=1)


@pytest.mark.thorough
@pytest.mark.parametrize("stage", [Stage.FIT, Stage.EVALUATE])
def test_a_cancelled_run_stops_and_publishes_nothing(
    with_model: Stack, held_runs: HeldRuns, stage: Stage
) -> None:
    api = with_model.start_api()
    with_model.start_worker()
    before = api.version()
    held_runs.hold_at(stage)
    job_id = api.run_pipeline()
    wait_for(held_runs.is_any_held, seconds=RUN_SECONDS)
    assert api.job(job_id)["stage"] == stage
    answer = api.http.delete(f"/jobs/{job_id}")
    assert answer.status_code == 202
    held_runs.let_go()
    job = api.wait_for_end(job_id)
    assert (job["status"], job["result"], job["error"]) == ("cancelled", None, None)
    assert versions_of(with_model, job_id) == []
    assert api.version() == before
    assert with_model.redis.client.get(ACTIVE_JOB) is None


@pytest.mark.thorough
def test_a_run_that_was_asked_to_stop_makes_room_for_the_next(
    with_model: Stack, held_runs: HeldRuns
) -> None:
    api = with_model.start_api()
    with_model.start_worker()
    held_runs.hold_at(Stage.EVALUATE)
    dying = api.run_pipeline()
    wait_for(held_runs.is_any_held, seconds=RUN_SECONDS)
    api.http.delete(f"/jobs/{dying}").raise_for_status()
    new = api.run_pipeline(force=True)
    assert new != dying
    assert api.job(dying)["status"] == "cancelled"
    # The child is held, and learns from its heartbeat that it has nothing to do any more.
    wait_for(lambda: api.job(new)["started_at"], seconds=RUN_SECONDS)
    held_runs.let_go()
    assert_done_once(with_model, api, new, attempts=1)
    assert versions_of(with_model, dying) == []


@pytest.mark.thorough
def test_leftovers_of_a_killed_worker_are_cleared_away(stack: Stack) -> None:
    publish(stack.models_dir)
    leftover = stack.models_dir / ".staging-0123456789ab"
    leftover.mkdir()
    (leftover / "model.onnx").write_bytes(b"half")
    unfinished = stack.models_dir / "20260102-030405-abcdef"
    unfinished.mkdir()
    (unfinished / "model.onnx").write_bytes(b"whole, and its manifest was never written")
    (unfinished / ".writing-0123456789ab").write_bytes(b"half")
    api = stack.start_api()
    stack.start_worker()
    api.wait_for_end(api.run_pipeline())
    wait_for(lambda: not leftover.exists())
    assert not unfinished.exists()
    assert not list(Path(stack.models_dir).glob(".staging-*"))
    assert not list(Path(stack.models_dir).rglob(".writing-*"))
