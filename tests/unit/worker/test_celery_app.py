"""Importing the application configures Celery, and does nothing else."""

import subprocess
import sys
from typing import Any

import pytest
import redis

from shared.runtime.redis_keys import QUEUE
from shared.runtime.redis_url import RedisServer
from tests.support.processes import ROOT, clean_environment
from worker.broker import PatientBroker, PatientConnection, Transport
from worker.celery_app import app, celery_application


def test_importing_the_application_starts_and_builds_nothing() -> None:
    program = """
import logging, sys, threading
import celery.apps.worker
before = celery.apps.worker.safe_say
import worker.celery_app
assert celery.apps.worker.safe_say is before
assert threading.active_count() == 1
assert not logging.getLogger().handlers
print(*(name for name in sys.modules if name.startswith("worker.")))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
    )
    assert (done.stderr, done.stdout.split()) == ("", ["worker.celery_app"])


def test_the_workers_connections_are_patient() -> None:
    assert isinstance(app.amqp, PatientBroker)
    connection = app.connection_for_read()
    assert isinstance(connection, PatientConnection)
    assert connection.get_transport_cls() is Transport
    assert redis.RedisError in connection.recoverable_connection_errors


@pytest.mark.parametrize("module", ["worker.lifecycle", "worker.tasks"])
def test_celery_imports_what_the_worker_does(module: str) -> None:
    assert module in app.conf.include


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
