"""What the worker does when its processes start and stop, and how it shows that it is alive.

Celery imports this module in the main process and in the child, and calls its signal handlers.
"""

import logging
import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import celery.apps.worker
import kombu
from celery.app.amqp import AMQP
from celery.signals import (
    celeryd_init,
    setup_logging,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
    worker_shutdown,
    worker_shutting_down,
)

from shared import resources
from shared.refusal import oddities
from shared.runtime import tracing
from shared.runtime.log import configure
from worker.attempt import worker_name
from worker.celery_app import settings
from worker.duties import Duties

_ALIVE_SECONDS = 1.0
_ALIVE_FILE = Path(tempfile.gettempdir()) / "lifeboat-worker-alive"
"""Touched by Celery's event loop; its age is the container's health check. `celery inspect ping`
would start a Python with all of Celery for each probe."""

_RECONNECT_SECONDS = 2.0

_NICENESS = 10

log = logging.getLogger(__name__)


class PatientConnection(kombu.Connection):
    """A connection that tries again every 2 s while Redis is away, and shows that it is alive.

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


class PatientBroker(AMQP):
    """Celery's access to the broker; AMQP is Celery's word for it, whatever the broker is."""

    Connection = PatientConnection


# `celeryd_init` comes before Celery warns of anything, `setup_logging` also in the child.
@celeryd_init.connect
@setup_logging.connect
def configure_logging(**_: Any) -> None:
    """Configure logging as in the API, so that Celery does not take over the root logger."""
    configure(settings.log_level, settings.log_format)
    # A handler of signals writes plain lines to the terminal with this function, past every log and
    # whatever `--quiet` says; Celery has no setting for it. `duties` logs the stop.
    celery.apps.worker.safe_say = lambda *_: None  # type: ignore[attr-defined]


@celeryd_init.connect
def warn_of_odd_variables(**_: Any) -> None:
    for sentence in oddities():
        log.warning("%s", sentence)


@worker_ready.connect
def start_duties(sender: Any, **_: Any) -> None:
    """Start what the main process looks after, until the worker stops."""
    own = resources.build(settings)
    duties = Duties(own, worker=worker_name(sender.hostname, os.getpid()))
    duties.start()
    sender.timer.call_repeatedly(_ALIVE_SECONDS, _ALIVE_FILE.touch)

    @worker_shutting_down.connect(weak=False)
    def hand_back(**_: Any) -> None:
        # In the handler of SIGTERM: it does no more here than wake the threads.
        duties.hand_back()

    @worker_shutdown.connect(weak=False)
    def stop(**_: Any) -> None:
        duties.stop()
        own.close()


@worker_process_init.connect
def start_tracing(**_: Any) -> None:
    tracing.start("lifeboat-worker")


@worker_process_shutdown.connect
def stop_tracing(**_: Any) -> None:
    tracing.stop()


@worker_process_init.connect
def let_predictions_go_first(**_: Any) -> None:
    """Leave the processor to the API, on a machine that both share."""
    os.nice(_NICENESS)


@worker_process_init.connect
def leave_sigterm_to_the_main_process(**_: Any) -> None:
    """Ignore the signal that `make run` sends to the whole process group.

    The child learns of the stop from its heartbeat.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
