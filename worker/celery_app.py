"""The Celery application of the worker: `celery --app worker.celery_app worker`.

Celery carries messages and runs tasks in a child process; it recovers nothing (see
`shared/jobs/watch.py`), so each setting that would retry, redeliver or revoke is off.
"""

import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import celery.apps.worker
import kombu
from celery.signals import (
    celeryd_init,
    setup_logging,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
    worker_shutdown,
    worker_shutting_down,
)

from shared.jobs.queue import celery_application
from shared.runtime import tracing
from shared.runtime.log import configure, refuse_to_start
from shared.settings import read_settings
from worker.duties import MainProcess, worker_name

_ALIVE_SECONDS = 1.0
_ALIVE_FILE = Path(tempfile.gettempdir()) / "lifeboat-worker-alive"
"""Touched by Celery's event loop; its age is the container's health check. `celery inspect ping`
would start a Python with all of Celery for each probe."""

_RECONNECT_SECONDS = 2.0

_NICENESS = 10


class BrokerConnection(kombu.Connection):
    """A worker without Redis tries again every 2 s, and is alive.

    Celery has no setting for either: kombu waits 2 s longer after each try, up to 30 s, and the
    event loop, which touches the file otherwise, stands still meanwhile. A worker that is restarted
    for being unhealthy would lose the run that computes on, and Redis would be back no sooner.
    """

    def ensure_connection(
        self, *args: Any, callback: Callable[[], object] | None = None, **options: Any
    ) -> Any:
        def wait() -> None:
            _ALIVE_FILE.touch()
            if callback is not None:
                callback()

        options |= {"callback": wait, "interval_max": _RECONNECT_SECONDS}
        return super().ensure_connection(*args, **options)


settings = read_settings()
try:
    app = celery_application(settings.redis_url_with_password())
except OSError as error:
    # Celery would show it as an error in how it was called.
    refuse_to_start(f"LIFEBOAT_REDIS_PASSWORD_FILE cannot be read: {error}")
app.amqp.Connection = BrokerConnection
app.conf.update(
    include=["worker.tasks"],
    # One run at a time, so one child is enough. A child, because a run that is killed for want of
    # memory then leaves the worker standing.
    worker_pool="prefork",
    worker_concurrency=1,
    # The main process has threads, and a fork would copy their locks in whatever state they are;
    # an OpenMP pool copied by a fork can deadlock too (scikit-learn#19272).
    worker_pool_start_method="spawn",
    # A spawned child imports the application first; Celery's 4 s are short on a loaded machine.
    worker_proc_alive_timeout=60,
    # A fresh process now and then gives back what a library leaked.
    worker_max_tasks_per_child=10,
    # Acknowledged when taken. Late acknowledgement redelivers a message whose run is still going
    # after the visibility time-out, and acks the original when such a duplicate returns.
    task_acks_late=False,
    # With early acknowledgement there is nothing to reject; pinned because True runs a task that
    # kills its worker again and again without end (celery#9082).
    task_reject_on_worker_lost=False,
    # Take no message that cannot be looked at: another worker may be free.
    worker_prefetch_multiplier=1,
    # True, the announced default of Celery 6, revokes the running task when Redis restarts.
    worker_cancel_long_running_tasks_on_connection_loss=False,
    # Wait for Redis for ever, at the start too: the worker has nothing to do without it.
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    # Reading: without a time-out a half-open connection leaves the worker deaf.
    broker_transport_options={
        **app.conf.broker_transport_options,
        "socket_timeout": 5.0,
        "socket_connect_timeout": 2.0,
        "socket_keepalive": True,
        "health_check_interval": 25,
    },
    # The backstop for a run whose own clock (`JobRun`) is stuck in code that never lets go.
    task_time_limit=settings.job_timeout_seconds + 60,
)

main_process = MainProcess(settings)


# What it says of signals goes to the terminal past every log, and `main_process` logs the stop.
celery.apps.worker.safe_say = lambda *_: None  # type: ignore[attr-defined]


# As early as Celery warns of anything, and in the child, too.
@celeryd_init.connect
@setup_logging.connect
def configure_logging(**_: Any) -> None:
    """Ours instead of Celery's, which would take over the root logger."""
    configure(settings.log_level, settings.log_format)


@worker_process_init.connect
def start_tracing(**_: Any) -> None:
    tracing.start("lifeboat-worker")


@worker_process_shutdown.connect
def stop_tracing(**_: Any) -> None:
    tracing.stop()


@worker_process_init.connect
def let_predictions_go_first(**_: Any) -> None:
    """On a machine that they share, a run takes what the API leaves of the processor."""
    os.nice(_NICENESS)


@worker_process_init.connect
def leave_sigterm_to_the_main_process(**_: Any) -> None:
    """`make run` signals the whole process group; the child learns of it from its heartbeat."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


@worker_ready.connect
def start_main_process(sender: Any, **_: Any) -> None:
    main_process.start(worker=worker_name(sender.hostname, os.getpid()))
    sender.timer.call_repeatedly(_ALIVE_SECONDS, _ALIVE_FILE.touch)


@worker_shutting_down.connect
def hand_back(**_: Any) -> None:
    main_process.hand_back()


@worker_shutdown.connect
def stop_main_process(**_: Any) -> None:
    main_process.stop()
