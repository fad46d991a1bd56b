from typing import Any, cast

import kombu
import pytest
import redis
from kombu.exceptions import OperationalError

from shared.jobs.queue import TASK_NAME, JobQueue, broker
from shared.runtime.redis_keys import QUEUE
from shared.runtime.redis_url import RedisServer
from worker.celery_app import celery_application

JOB_ID = "0" * 32


class FakeRedis:
    def __init__(self, **types: str) -> None:
        self.types = types

    def type(self, key: str) -> str:
        return self.types.get(key, "none")

    def delete(self, key: str) -> None:
        self.types.pop(key, None)


def queue(client: FakeRedis | None = None) -> JobQueue:
    return JobQueue(kombu.Connection("memory://"), cast("redis.Redis", client or FakeRedis()))


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is published, by whomever, as kombu's channel is given it."""
    calls: list[dict[str, Any]] = []

    def note(self: kombu.Producer, body: Any, **options: Any) -> None:
        calls.append({"body": body, **options})

    monkeypatch.setattr(kombu.Producer, "publish", note)
    return calls


def fail_with(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(kombu.Producer, "publish", fail)


def test_a_message_is_what_celery_would_send_for_the_task(published: list[dict[str, Any]]) -> None:
    queue().send(JOB_ID)
    application = celery_application(RedisServer("redis://127.0.0.1:1/0"))
    application.send_task(TASK_NAME, args=[JOB_ID], task_id=JOB_ID)
    own, celerys = published
    # As both look as JSON: a tuple is a list there.
    assert own["body"] == [list(part) if i == 0 else part for i, part in enumerate(celerys["body"])]
    assert own["headers"].items() <= celerys["headers"].items()
    for name in ("exchange", "routing_key", "serializer", "correlation_id"):
        assert own[name] == celerys[name], name


def test_a_message_names_the_task_and_the_job_and_no_more(published: list[dict[str, Any]]) -> None:
    queue().send(JOB_ID)
    (own,) = published
    assert own["body"][:2] == [[JOB_ID], {}]
    assert own["headers"] == {"lang": "py", "task": TASK_NAME, "id": JOB_ID}


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
def test_however_sending_fails_it_is_redis_that_does_not_answer(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_with(error, monkeypatch)
    with pytest.raises(redis.RedisError, match=str(error)):
        queue().send(JOB_ID)


def test_a_failure_leaves_the_next_message_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    own = queue()
    with monkeypatch.context() as failing:
        fail_with(redis.ConnectionError("refused"), failing)
        # More often than there are connections.
        for _ in range(30):
            with pytest.raises(redis.ConnectionError):
                own.send(JOB_ID)
    own.send(JOB_ID)


@pytest.mark.parametrize(("kind", "empty"), [("none", True), ("list", False), ("string", True)])
def test_the_queue_is_empty_when_no_message_waits(kind: str, empty: bool) -> None:
    assert queue(FakeRedis(**{QUEUE: kind})).is_empty() is empty


def test_what_kombu_has_wrapped_is_raised_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    wrapped = OperationalError("wrapped")
    wrapped.__cause__ = redis.ReadOnlyError("a replica")
    fail_with(wrapped, monkeypatch)
    with pytest.raises(redis.ReadOnlyError):
        queue().send(JOB_ID)


def test_messages_go_to_the_server_of_the_settings() -> None:
    connection = broker(RedisServer("redis://:sesame@127.0.0.1:1/0"))
    assert connection.as_uri(include_password=True) == "redis://:sesame@127.0.0.1:1/0"
    # Nothing is connected before its first use.
    assert not connection.connected
