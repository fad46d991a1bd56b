from typing import Any

import pytest

from shared.runtime.redis_keys import QUEUE
from shared.runtime.redis_url import RedisServer
from worker.application import celery_application


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
