"""Redis refuses, or holds what Celery cannot read: the worker waits, or throws it away."""

import json

import pytest
import redis

from shared.runtime.redis_keys import QUEUE
from tests.support.processes import LONG_SECONDS, Api, Process, Stack, wait_for
from worker.broker import look_at

pytestmark = pytest.mark.thorough

_JOB_ID = "0123456789abcdef" * 2
_THROWN_AWAY = "a message that is not one of ours is thrown away"


def _bad_messages() -> list[str]:
    good = look_at(_JOB_ID)
    without_id = {"lang": "py", "task": good["headers"]["task"]}
    return [
        "not JSON",
        "5",
        "[" * 100_000,
        json.dumps({"__type__": "datetime", "__value__": 5}),
        json.dumps(good | {"body": "%%% not base64"}),
        json.dumps({name: part for name, part in good.items() if name != "headers"}),
        json.dumps({name: part for name, part in good.items() if name != "properties"}),
        json.dumps(good | {"headers": without_id}),
        json.dumps(good | {"headers": good["headers"] | {"task": "of.another.project"}}),
        json.dumps(good | {"body": "A" * 10_000_000}),
    ]


def _assert_works(api: Api, worker: Process) -> None:
    job_id = api.run_pipeline(force=True)
    wait_for(lambda: api.job(job_id)["started_at"], why=worker.output)
    assert worker.is_running()


def test_messages_and_keys_that_celery_cannot_read_are_thrown_away(with_model: Stack) -> None:
    api, worker = with_model.start_api(), with_model.start_worker()
    # Ten megabytes take a busy machine longer than the second that the product's client waits.
    client = redis.Redis.from_url(
        with_model.redis.url, decode_responses=True, socket_timeout=LONG_SECONDS
    )
    messages = _bad_messages()
    for count, message in enumerate(messages, start=1):
        client.lpush(QUEUE, message)
        wait_for(lambda c=count: worker.output().count(_THROWN_AWAY) == c, why=worker.output)  # type: ignore[misc]
    assert max(map(len, worker.output().splitlines())) < 1_000
    # A broadcast to Celery's workers, which is read on another way.
    for text in ("5", "{}", "not JSON"):
        client.publish("/0.celery.pidbox", text)
    for key in (QUEUE, "_kombu.binding.celery.pidbox", "_kombu.binding_deadlines"):
        client.set(key, "a string")
    wait_for(lambda: client.type(QUEUE) != "string")

    def is_mended() -> bool:
        # The others are read when the worker connects. It need not, if it waited for nothing.
        client.client_kill_filter(_type="normal", skipme=True)
        return bool(client.type("_kombu.binding.celery.pidbox") == "set")

    wait_for(is_mended, pause=5, why=worker.output)
    _assert_works(api, worker)


def test_a_failover_is_waited_for(with_model: Stack) -> None:
    api, worker = with_model.start_api(), with_model.start_worker()
    with_model.redis.client.replicaof("127.0.0.1", "1")
    wait_for(lambda: "Redis is a replica and takes no changes" in worker.output())
    answer = api.http.put("/run-pipeline")
    assert answer.status_code == 503 and "replica" in answer.json()["detail"]
    wait_for(lambda: api.http.get("/health/ready").json()["redis"] == "down")
    assert "replica" in api.http.get("/health/ready").json()["redis_error"]
    assert api.http.get("/metrics").is_success
    with_model.redis.client.replicaof("NO", "ONE")
    wait_for(lambda: "Redis answers again" in worker.output(), why=worker.output)
    wait_for(lambda: api.http.get("/health/ready").json()["redis"] == "up")
    for log in (worker.output(), api.log().replace("Redis did not answer: Redis", "")):
        assert log.count("Redis is a replica and takes no changes") == 1
    _assert_works(api, worker)
