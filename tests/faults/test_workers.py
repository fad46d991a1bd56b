"""Workers die, messages get lost, Redis goes away: each job still ends once, and says how."""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.job_store import MAX_DEATHS
from shared.model_store import ModelStore
from shared.redis_keys import ACTIVE_JOB, QUEUE, VERSION
from tests.processes import Api, Process, Stack, children, wait_for
from tests.versions import publish


@pytest.fixture
def slow(stack: Stack, large_table: str) -> Stack:
    """A stack with a model already, whose runs last for some seconds."""
    stack.redis.client.set(VERSION, publish(stack.models_dir, roc_auc=0.5))
    stack.settings["training_data"] = large_table
    return stack


def _versions_of(stack: Stack, job_id: str) -> list[str]:
    manifests = ModelStore(stack.models_dir).manifests()
    return [manifest.model_version for manifest in manifests if manifest.job_id == job_id]


def _assert_done_once(stack: Stack, api: Api, job_id: str, *, attempts: int) -> None:
    job = api.wait_for_end(job_id)
    assert (job["status"], job["attempts"]) == ("succeeded", attempts), job
    result = job["result"]
    assert isinstance(result, dict)
    assert _versions_of(stack, job_id) == [result["model_version"]]
    api.wait_for_version(result["model_version"])


def _training_process(worker: Process) -> int:
    """The child of Celery's main process that runs the job: the one that takes memory."""
    return max(children(worker.pid), key=lambda child: child.memory_info().rss).pid


def test_a_worker_killed_in_the_middle_of_a_run_is_replaced_by_the_next(slow: Stack) -> None:
    api, worker = slow.start_api(), slow.start_worker()
    job_id = api.run_pipeline()
    api.wait_for_stage(job_id, "evaluate")
    worker.kill()
    assert api.run_pipeline() == job_id
    slow.start_worker()
    _assert_done_once(slow, api, job_id, attempts=2)


def test_a_training_process_killed_alone_is_replaced_by_its_worker(slow: Stack) -> None:
    api, worker = slow.start_api(), slow.start_worker()
    job_id = api.run_pipeline()
    api.wait_for_stage(job_id, "fit")
    os.kill(_training_process(worker), signal.SIGKILL)
    _assert_done_once(slow, api, job_id, attempts=2)
    assert worker.is_running()


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
    assert _versions_of(slow, job_id) == []
    assert api.run_pipeline() != job_id


def test_a_message_that_got_lost_is_sent_again(stack: Stack) -> None:
    stack.redis.client.set(VERSION, publish(stack.models_dir, roc_auc=0.5))
    api = stack.start_api()
    job_id = api.run_pipeline()
    stack.redis.client.delete(QUEUE)
    stack.start_worker()
    _assert_done_once(stack, api, job_id, attempts=1)


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
    _assert_done_once(slow, api, job_id, attempts=2)
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


def test_two_workers_and_many_clients_make_one_run_at_a_time(stack: Stack) -> None:
    stack.redis.client.set(VERSION, publish(stack.models_dir, roc_auc=0.5))
    api = stack.start_api(processes=2)
    stack.start_worker(), stack.start_worker()
    seen: set[str] = set()
    for _ in range(3):
        with ThreadPoolExecutor(10) as clients:
            (job_id,) = set(clients.map(lambda _: api.run_pipeline(), range(10)))
        assert job_id not in seen
        seen.add(job_id)
        _assert_done_once(stack, api, job_id, attempts=1)


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
    assert _versions_of(slow, job_id) == []
    assert api.version() == before
    assert slow.redis.client.get(ACTIVE_JOB) is None


def test_redis_restarted_with_its_data_in_a_run_ends_the_job_once(slow: Stack) -> None:
    api = slow.start_api()
    slow.start_worker()
    job_id = api.run_pipeline()
    api.wait_for_stage(job_id, "evaluate")
    slow.redis.stop()
    slow.redis.start()
    _assert_done_once(slow, api, job_id, attempts=1)


def test_redis_frozen_for_longer_than_a_death_takes_kills_no_run(slow: Stack) -> None:
    api = slow.start_api()
    slow.start_worker()
    job_id = api.run_pipeline()
    api.wait_for_stage(job_id, "evaluate")
    slow.redis.freeze()
    threading.Event().wait(10)
    slow.redis.thaw()
    _assert_done_once(slow, api, job_id, attempts=1)


def test_redis_emptied_in_a_run_loses_the_job_and_nothing_else(slow: Stack) -> None:
    api = slow.start_api()
    worker = slow.start_worker()
    before = api.version()
    job_id = api.run_pipeline()
    api.wait_for_stage(job_id, "evaluate")
    slow.redis.client.flushall()
    wait_for(lambda: "dropped" in worker.output())
    assert api.http.get(f"/jobs/{job_id}").status_code == 404
    assert _versions_of(slow, job_id) == []
    assert api.version() == before
    again = api.run_pipeline()
    wait_for(lambda: api.job(again)["status"] == "running")


def test_leftovers_of_a_killed_worker_are_cleared_away(stack: Stack) -> None:
    publish(stack.models_dir)
    leftover = stack.models_dir / ".staging-0123456789ab"
    leftover.mkdir()
    (leftover / "model.onnx").write_bytes(b"half")
    api = stack.start_api()
    stack.start_worker()
    api.wait_for_end(api.run_pipeline())
    assert not leftover.exists()
    assert not list(Path(stack.models_dir).glob(".staging-*"))
