from typing import Any, cast

import pytest
import redis
from celery import Celery
from kombu.exceptions import OperationalError

from shared.jobs.queue import TASK_NAME, JobQueue, celery_application
from shared.runtime.redis_keys import QUEUE

JOB_ID = "0" * 32


class FakeCelery:
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.sent: list[tuple[str, list[str]]] = []

    def send_task(self, name: str, *, args: list[str], task_id: str) -> None:
        if self.error is not None:
            raise self.error
        self.sent.append((name, args))


class FakeRedis:
    def __init__(self, **lengths: int) -> None:
        self.lengths = lengths

    def llen(self, key: str) -> int:
        return self.lengths.get(key, 0)


def queue(application: object = None, client: object = None) -> JobQueue:
    return JobQueue(cast(Celery, application), cast("redis.Redis", client))


def test_a_message_names_the_task_and_the_job_and_no_more() -> None:
    celery = FakeCelery()
    queue(celery).send(JOB_ID)
    assert celery.sent == [(TASK_NAME, [JOB_ID])]


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("no broker"),
        redis.ConnectionError("refused"),
        redis.TimeoutError("silence"),
        ConnectionResetError("reset"),
        RuntimeError("retry limit"),
    ],
)
def test_however_sending_fails_it_is_redis_that_does_not_answer(error: Exception) -> None:
    with pytest.raises(redis.RedisError, match=str(error)):
        queue(FakeCelery(error)).send(JOB_ID)


@pytest.mark.parametrize(("waiting", "empty"), [(0, True), (1, False), (7, False)])
def test_the_queue_is_empty_when_no_message_waits(waiting: int, empty: bool) -> None:
    assert queue(client=FakeRedis(**{QUEUE: waiting})).is_empty() is empty


def test_messages_are_json_in_the_queue_that_the_watch_looks_at() -> None:
    conf: Any = celery_application("redis://127.0.0.1:1/0").conf
    assert conf.task_default_queue == QUEUE
    assert list(conf.accept_content) == ["json"]
    assert conf.task_serializer == "json"
