"""Workers die and messages get lost: each job still ends once, and says how."""

import contextlib
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from shared.jobs.store import MAX_DEATHS
from shared.runtime.redis_keys import ACTIVE_JOB, QUEUE, VERSION, job
from shared.versions.manifest import MANIFEST_FILE
from tests.faults.conftest import Times, assert_done_once, versions_of
from tests.support.processes import Process, Stack, children, wait_for
from tests.support.versions import publish

_BACK_SECONDS = 30.0
"""Within which a job has succeeded once a worker is back."""

_SLICE_SECONDS = 0.001


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

        wait_for(is_there, seconds=60, pause=0.005)


def _spread_over_the_run(times: Times) -> list[Moment]:
    """Over the stages and folds, from the claim on; the child alone in every third."""
    count = times(2, 30)
    return [Moment(progress=0.97 * turn / count, child_only=turn % 3 == 1) for turn in range(count)]


def test_a_worker_killed_at_any_moment_costs_no_job(
    slow: Stack, medium_table: str, times: Times
) -> None:
    slow.settings["training_data"] = medium_table
    api, worker = slow.start_api(), slow.start_worker()
    for moment in _spread_over_the_run(times):
        job_id = api.run_pipeline()
        moment.wait(slow, job_id)
        if moment.child_only:
            os.kill(_training_process(worker), signal.SIGKILL)
        else:
            worker.kill()
            assert api.run_pipeline() == job_id
            worker = slow.start_worker()
        assert_done_once(slow, api, job_id, attempts=2, seconds=_BACK_SECONDS)
        assert worker.is_running()


def _freeze_once_published(stack: Stack, child: int) -> str:
    """Stops a training process between publication and the last step; the version's name.

    From the version's first file on, the process runs for a millisecond at a time.
    """
    before = set(stack.models_dir.glob("2*"))

    def new() -> list[Path]:
        return [path for path in stack.models_dir.glob("2*") if path not in before]

    deadline = time.monotonic() + 60
    while not new():
        assert time.monotonic() < deadline, "nothing is published"
        time.sleep(_SLICE_SECONDS)
    while True:
        os.kill(child, signal.SIGSTOP)
        published = [version for version in new() if (version / MANIFEST_FILE).exists()]
        if published:
            return published[0].name
        assert time.monotonic() < deadline, "nothing is published"
        os.kill(child, signal.SIGCONT)
        time.sleep(_SLICE_SECONDS)


@pytest.mark.parametrize("end", ["succeeded", "cancelled"])
def test_a_worker_killed_between_publication_and_the_last_step_leaves_one_version_or_none(
    slow: Stack, medium_table: str, end: str
) -> None:
    slow.settings["training_data"] = medium_table
    api, worker = slow.start_api(), slow.start_worker()
    job_id = api.run_pipeline()
    Moment(progress=0.1).wait(slow, job_id)
    child = _training_process(worker)
    published = _freeze_once_published(slow, child)
    assert api.job(job_id)["status"] == "running"
    assert versions_of(slow, job_id) == [published]
    if end == "cancelled":
        api.http.delete(f"/jobs/{job_id}").raise_for_status()
    os.kill(child, signal.SIGKILL)
    if end == "succeeded":
        assert assert_done_once(slow, api, job_id, attempts=2) == published
        return
    assert api.wait_for_end(job_id)["status"] == "cancelled"
    # What nobody asked for goes with the next run.
    assert_done_once(slow, api, api.run_pipeline(force=True), attempts=1)
    wait_for(lambda: versions_of(slow, job_id) == [])


def test_a_worker_killed_with_a_message_that_it_has_not_recorded_loses_no_job(
    stack: Stack,
) -> None:
    stack.redis.client.set(VERSION, publish(stack.models_dir, roc_auc=0.5))
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
    assert_done_once(stack, api, job_id, attempts=1, seconds=_BACK_SECONDS)


def test_a_job_that_kills_its_worker_each_time_fails_and_frees_the_lock(slow: Stack) -> None:
    api = slow.start_api()
    job_id = api.run_pipeline()
    for _ in range(MAX_DEATHS):
        worker = slow.start_worker()
        wait_for(lambda: api.job(job_id)["status"] == "running")
        worker.kill()
        wait_for(lambda: api.job(job_id)["status"] != "running")
    job = api.job(job_id)
    assert (job["status"], job["attempts"]) == ("failed", MAX_DEATHS)
    assert "died 3 times" in str(job["error"])
    assert versions_of(slow, job_id) == []
    assert api.run_pipeline() != job_id


def test_a_message_that_got_lost_is_sent_again(stack: Stack) -> None:
    stack.redis.client.set(VERSION, publish(stack.models_dir, roc_auc=0.5))
    api = stack.start_api()
    job_id = api.run_pipeline()
    stack.redis.client.delete(QUEUE)
    stack.start_worker()
    assert_done_once(stack, api, job_id, attempts=1)


def test_without_a_worker_messages_do_not_pile_up(stack: Stack) -> None:
    publish(stack.models_dir)
    api = stack.start_api()
    api.run_pipeline()
    # Longer than the watch waits for somebody to take the job up.
    watched = threading.Event()
    watched.wait(12)
    assert stack.redis.client.llen(QUEUE) == 1


def test_a_worker_that_is_stopped_hands_its_run_to_another(slow: Stack) -> None:
    api, first = slow.start_api(), slow.start_worker()
    job_id = api.run_pipeline()
    api.wait_for_stage(job_id, "evaluate")
    second = slow.start_worker()
    assert first.stop() == 0
    assert "handed back" in first.output()
    assert_done_once(slow, api, job_id, attempts=2)
    assert slow.redis.client.hget(f"lifeboat:job:{job_id}", "deaths") == "0"
    assert second.is_running()


def test_a_run_that_takes_too_long_fails_and_the_worker_goes_on(slow: Stack) -> None:
    api = slow.start_api()
    worker = slow.start_worker(job_timeout_seconds="3")
    job_id = api.run_pipeline()
    job = api.wait_for_end(job_id)
    assert job["status"] == "failed"
    assert "LIFEBOAT_JOB_TIMEOUT_SECONDS" in str(job["error"])
    again = api.run_pipeline()
    assert again != job_id
    wait_for(lambda: api.job(again)["status"] == "running")
    assert worker.is_running()


def test_two_workers_and_many_clients_make_one_run_at_a_time(stack: Stack, times: Times) -> None:
    stack.redis.client.set(VERSION, publish(stack.models_dir, roc_auc=0.5))
    api = stack.start_api(processes=2)
    stack.start_worker(), stack.start_worker()
    seen: set[str] = set()
    with ThreadPoolExecutor(10) as clients:
        for _ in range(times(3, 100)):
            (job_id,) = set(clients.map(lambda _: api.run_pipeline(), range(10)))
            assert job_id not in seen
            seen.add(job_id)
            assert_done_once(stack, api, job_id, attempts=1)


@pytest.mark.parametrize("stage", ["fit", "evaluate"])
def test_a_cancelled_run_stops_and_publishes_nothing(slow: Stack, stage: str) -> None:
    api = slow.start_api()
    slow.start_worker()
    before = api.version()
    job_id = api.run_pipeline()
    api.wait_for_stage(job_id, stage)
    answer = api.http.delete(f"/jobs/{job_id}")
    assert answer.status_code == 202
    job = api.wait_for_end(job_id)
    assert (job["status"], job["result"], job["error"]) == ("cancelled", None, None)
    assert versions_of(slow, job_id) == []
    assert api.version() == before
    assert slow.redis.client.get(ACTIVE_JOB) is None


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
    assert not leftover.exists()
    assert not unfinished.exists()
    assert not list(Path(stack.models_dir).glob(".staging-*"))
    assert not list(Path(stack.models_dir).rglob(".writing-*"))
