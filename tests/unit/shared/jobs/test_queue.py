from typing import Any, cast

import pytest
import redis
from celery import Celery
from kombu.exceptions import OperationalError

from shared.jobs.queue import TASK_NAME, JobQueue, celery_application
from shared.runtime.redis_keys import QUEUE
from shared.runtime.redis_url import RedisServer

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
    def __init__(self, **types: str) -> None:
        self.types = types

    def type(self, key: str) -> str:
        return self.types.get(key, "none")

    def delete(self, key: str) -> None:
        self.types.pop(key, None)


def queue(application: object = None, client: FakeRedis | None = None) -> JobQueue:
    return JobQueue(cast(Celery, application), cast("redis.Redis", client or FakeRedis()))


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


@pytest.mark.parametrize(("kind", "empty"), [("none", True), ("list", False), ("string", True)])
def test_the_queue_is_empty_when_no_message_waits(kind: str, empty: bool) -> None:
    assert queue(client=FakeRedis(**{QUEUE: kind})).is_empty() is empty


def test_what_celery_has_wrapped_is_raised_as_it_was() -> None:
    wrapped = OperationalError("wrapped")
    wrapped.__cause__ = redis.ReadOnlyError("a replica")
    with pytest.raises(redis.ReadOnlyError):
        queue(FakeCelery(wrapped)).send(JOB_ID)


def test_variables_of_other_celery_projects_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BROKER_URL", "BROKER_READ_URL", "RESULT_BACKEND", "CONFIG_MODULE", "TASK_X"):
        monkeypatch.setenv(f"CELERY_{name}", "redis://another:1/0")
    application = celery_application(RedisServer("redis://127.0.0.1:1/0"))
    assert application.connection_for_read().hostname == "127.0.0.1"
    assert application.connection_for_write().hostname == "127.0.0.1"
    assert application.conf.result_backend is None


def test_messages_are_json_in_the_queue_that_the_watch_looks_at() -> None:
    conf: Any = celery_application(RedisServer("redis://127.0.0.1:1/0")).conf
    assert conf.task_default_queue == QUEUE
    assert list(conf.accept_content) == ["json"]
    assert conf.task_serializer == "json"
