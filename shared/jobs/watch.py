"""The one recovery mechanism: a watcher sends a job again that no worker works on.

Celery's own (late acknowledgement, visibility time-out, retries) loses or doubles jobs, so it is
not used. Every API process and every worker watches. Each step is a single step in Redis, so it
does not matter which watcher is first, or whether two come at once.
"""

import logging
import threading
import time
from collections.abc import Callable

import redis

from shared.jobs.job import JobStatus
from shared.jobs.queue import JobQueue
from shared.jobs.store import JobStore, Pulse

DEAD_AFTER_SECONDS = 8.0
"""A running job has lost its worker if its heartbeat (once a second) stands still this long."""

RESEND_AFTER_SECONDS = 5.0
"""A queued job is sent again if no worker claims it for this long and no message waits."""

_LOOK_SECONDS = 1.0
_PAUSED_SECONDS = 3.0

log = logging.getLogger(__name__)


class JobWatch:
    """Watches the active job by the watcher's own monotonic clock.

    Not by the wall clock, nor by an expiring lease: those declare a live worker dead when a clock
    jumps, or when Redis is frozen for longer than the lease.
    """

    def __init__(
        self, store: JobStore, queue: JobQueue, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._queue = queue
        self._clock = clock
        self._seen: Pulse | None = None
        self._since = 0.0
        self._looked_at = 0.0

    def watch(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                self.look()
            except redis.RedisError as error:
                log.debug("Redis does not answer: %s", error)
                # Standing still counts only while Redis answers.
                self._seen = None
            stop.wait(_LOOK_SECONDS)

    def look(self) -> None:
        """Look at the active job once; raise redis.RedisError if Redis does not answer."""
        pulse = self._store.pulse()
        now = self._clock()
        # A watcher that was paused itself, perhaps with the whole machine, has seen nothing.
        was_paused = now - self._looked_at > _PAUSED_SECONDS
        self._looked_at = now
        if pulse is None or pulse != self._seen or was_paused:
            self._seen, self._since = pulse, now
            return
        still_for = now - self._since
        if pulse.status is JobStatus.RUNNING and still_for >= DEAD_AFTER_SECONDS:
            self._seen = None
            self._bury(pulse)
        elif pulse.status is JobStatus.QUEUED and still_for >= RESEND_AFTER_SECONDS:
            self._since = now
            # With a message waiting, the workers are busy or away; one more would not help.
            if self._queue.is_empty():
                log.warning(
                    "queued, but no worker claims it; sent again", extra={"job_id": pulse.job_id}
                )
                self._queue.send(pulse.job_id)

    def _bury(self, pulse: Pulse) -> None:
        status = self._store.bury(pulse)
        if status is None:
            return
        log.warning(
            "no heartbeat for %.0f s, so its worker is dead; the job is now %s",
            DEAD_AFTER_SECONDS,
            status,
            extra={"job_id": pulse.job_id},
        )
        if status is JobStatus.QUEUED:
            self._queue.send(pulse.job_id)
