"""What the worker does when its processes start and stop.

Celery imports this module in the main process and in the child, and calls its signal handlers.
"""

import logging
import os
import signal
from typing import Any

import celery.apps.worker
from celery import bootsteps
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
from shared.runtime.alive_file import alive_file
from shared.runtime.log import configure
from worker.attempt import worker_name
from worker.celery_app import app, settings
from worker.duties import Duties
from worker.pool import ChildWatch, children_of, keep_semaphore_tracker, show_that_it_moves
from worker.training_right import OwnDefinition, TrainingRight

_ALIVE_SECONDS = 1.0

_NICENESS = 10

log = logging.getLogger(__name__)


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


class Supervision(bootsteps.StartStopStep):
    """What the main process needs before its pool starts."""

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        worker.child_watch = ChildWatch()
        worker.child_watch.announce()
        keep_semaphore_tracker()

    def start(self, worker: Any) -> None:
        # Celery's own answer to SIGQUIT waits for the run inside the handler, as long as it takes.
        signal.signal(signal.SIGQUIT, signal.getsignal(signal.SIGTERM))


app.steps["worker"].add(Supervision)


@worker_ready.connect
def start_duties(sender: Any, **_: Any) -> None:
    """Start what the main process looks after, until the worker stops."""
    own = resources.build(settings)
    worker = worker_name(sender.hostname, os.getpid())
    duties = Duties(
        own,
        worker=worker,
        definition=OwnDefinition(settings.model, TrainingRight(own.redis, worker)),
        child_watch=sender.controller.child_watch,
        children=lambda: children_of(sender.pool),
    )
    duties.start()
    sender.timer.call_repeatedly(_ALIVE_SECONDS, alive_file.touch)

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
def start_pulse(**_: Any) -> None:
    show_that_it_moves()


@worker_process_init.connect
def let_predictions_go_first(**_: Any) -> None:
    """Leave the processor to the API, on a machine that both share."""
    os.nice(_NICENESS)


@worker_process_init.connect
def leave_sigterm_to_the_main_process(**_: Any) -> None:
    """Ignore the signal that a whole process group may be sent.

    The child learns of the stop from its heartbeat.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
