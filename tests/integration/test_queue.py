"""The queue of messages in a real server."""

import json
from collections.abc import Iterator

import pytest

from shared.jobs.queue import JobQueue, broker
from shared.jobs.store import JobStore
from shared.runtime.redis_keys import QUEUE
from shared.runtime.redis_url import RedisServer as Address
from tests.support.processes import RedisServer
from worker.broker import job_of

_JOB_ID = "0" * 32


@pytest.fixture
def queue(server: RedisServer) -> Iterator[JobQueue]:
    queue = JobQueue(broker(Address(server.url)), server.client)
    yield queue
    queue.close()


def _waiting(server: RedisServer) -> list[str]:
    return [job_of(json.loads(text)) for text in server.client.lrange(QUEUE, 0, -1)]


def test_runs_that_are_asked_for_and_cancelled_leave_one_message_at_most(
    server: RedisServer, queue: JobQueue
) -> None:
    jobs = JobStore(server.client)
    for _ in range(100):
        job, is_new = jobs.create(force=False)
        assert is_new
        queue.send(job.job_id)
        jobs.cancel(job.job_id)
    honest, _ = jobs.create(force=False)
    queue.send(honest.job_id)
    assert _waiting(server) == [honest.job_id]
    assert not queue.is_empty()


def test_what_is_in_place_of_the_queue_gives_way_to_a_message(
    server: RedisServer, queue: JobQueue
) -> None:
    server.client.set(QUEUE, "a string")
    assert queue.is_empty()
    queue.send(_JOB_ID)
    assert _waiting(server) == [_JOB_ID]


def test_a_message_leaves_no_other_key_in_redis(server: RedisServer, queue: JobQueue) -> None:
    queue.send(_JOB_ID)
    assert list(server.client.scan_iter()) == [QUEUE]
