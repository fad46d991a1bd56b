"""Importing the application configures Celery, and does nothing else."""

import subprocess
import sys

import pytest
import redis

from tests.support.processes import ROOT, clean_environment
from worker.broker import PatientBroker, PatientConnection, Transport
from worker.celery_app import app


def test_importing_the_application_starts_and_builds_nothing() -> None:
    program = """
import logging, sys, threading
import celery.apps.worker
before = celery.apps.worker.safe_say
import worker.celery_app
assert celery.apps.worker.safe_say is before
assert threading.active_count() == 1
assert not logging.getLogger().handlers
print(*sorted(name for name in sys.modules if name.startswith("worker.")))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
    )
    assert (done.stderr, done.stdout.split()) == (
        "",
        ["worker.application", "worker.celery_app"],
    )


def test_the_workers_connections_are_patient() -> None:
    assert isinstance(app.amqp, PatientBroker)
    connection = app.connection_for_read()
    assert isinstance(connection, PatientConnection)
    assert connection.get_transport_cls() is Transport
    assert redis.RedisError in connection.recoverable_connection_errors


@pytest.mark.parametrize("module", ["worker.lifecycle", "worker.tasks"])
def test_celery_imports_what_the_worker_does(module: str) -> None:
    assert module in app.conf.include
