"""What the worker's main process looks after beside passing messages to its child."""

import logging
import threading
import time

import redis

from shared.errors import VersionNotFound, VersionNotServable
from shared.jobs.store import Origin
from shared.jobs.watch import JobWatch
from shared.resources import Resources
from shared.runtime.background import Background
from shared.runtime.redis_outage import cause
from worker.pool import Children, ChildWatch, kill

_RETRY_SECONDS = 1.0
_HAND_BACK_SECONDS = 0.1
_LEAVE_SECONDS = 4.0
"""How long a child may take to leave when the worker is stopped; it takes 3 s if Redis answers."""
_FIRST_START = "first start"

log = logging.getLogger(__name__)


class Duties:
    """The threads of the main process: version key, recovery of jobs, first model, polite stop."""

    def __init__(
        self, resources: Resources, worker: str, child_watch: ChildWatch, children: Children
    ) -> None:
        """`worker` is the name under which this worker's child claims jobs."""
        self._jobs = resources.jobs
        self._attempts = resources.attempts
        self._queue = resources.queue
        self._version_key = resources.version_key
        self._models = resources.models
        self._worker = worker
        self._child_watch = child_watch
        self._children = children
        self._ended = threading.Event()
        self._background = Background(
            self._mirror_version_key,
            JobWatch(self._jobs, self._queue).watch,
            self._train_first_model,
            self._watch_child,
            self._hand_back_when_stopped,
        )

    def start(self) -> None:
        try:
            self._models.create()
        except OSError as error:
            log.warning("the models folder cannot be created: %s", error)
        self._background.start()

    def hand_back(self) -> None:
        """Wake the thread that hands a run back; a signal handler may call this."""
        self._background.stopping.set()

    def stop(self) -> None:
        self._ended.set()
        self._background.stop()

    def _mirror_version_key(self, stop: threading.Event) -> None:
        """Note on the volume which version is chosen, for API processes without Redis."""
        said = ""
        for reading in self._version_key.follow(stop):
            if reading.version is None:
                continue
            try:
                if reading.version != self._models.current():
                    self._models.load(reading.version)
                    self._models.set_current(reading.version)
                said = ""
            except (VersionNotFound, VersionNotServable, OSError) as error:
                # Without the name of the file that was tried, which differs each time.
                reason = getattr(error, "strerror", None) or str(error)
                if said != reason:
                    said = reason
                    log.warning("the version key is not noted on the volume: %s", reason)

    def _train_first_model(self, stop: threading.Event) -> None:
        """Ask for a run if no version can be served: a first start, or a new record schema.

        A run that nobody asked for must not take the place of a model that it cannot be compared
        with. So it waits while a version cannot be read, and while the API serves another one.
        """
        said = ""
        while not self._has_a_model():
            reason = ""
            try:
                reason = self._why_to_wait()
                if not reason:
                    job, is_new = self._jobs.create(force=False, origin=Origin(_FIRST_START))
                    if is_new:
                        about = {"job_id": job.job_id}
                        log.info("no model to serve yet; the first run", extra=about)
                        self._queue.send(job.job_id)
                    return
            except redis.RedisError as error:
                reason = cause(error)
            if reason != said:
                said = reason
                log.warning("no model to serve yet, and %s", reason)
            if stop.wait(_RETRY_SECONDS):
                return

    def _has_a_model(self) -> bool:
        return any(
            manifest.fits_this_schema and manifest.gate.outcome == "promoted"
            for manifest in self._models.manifests()
        )

    def _why_to_wait(self) -> str:
        """Return why no run is asked for by itself; empty if nothing is in the way.

        Raises redis.RedisError.
        """
        for reason in self._models.unreadable():
            return f"none is trained without being asked for, because of a version there: {reason}"
        for version in sorted(self._version_key.served()):
            return (
                f"none is trained without being asked for while the API serves {version}, which "
                "cannot be compared with; force a run (PUT /run-pipeline?force=true), or stop it"
            )
        return ""

    def _watch_child(self, _: threading.Event) -> None:
        # Until the end: a child that hangs would hold up a stop, too.
        self._child_watch.watch(self._children, self._ended)

    def _hand_back_when_stopped(self, stop: threading.Event) -> None:
        """Give the run to the next worker when this one is stopped; no death is counted.

        The child learns of it from its next heartbeat, and leaves. Without Redis it cannot learn of
        it: it is killed, and the watchers count a death when Redis is back.
        """
        stop.wait()
        log.info("this worker is being stopped")
        leave_at = time.monotonic() + _LEAVE_SECONDS
        # Repeatedly, until the end: the child may yet claim a message that it has just been given.
        while not self._ended.wait(_HAND_BACK_SECONDS):
            try:
                job_id = self._attempts.release(self._worker)
                if job_id is not None:
                    log.info("run handed back to the queue", extra={"job_id": job_id})
                    self._queue.send(job_id)
            except redis.RedisError as error:
                log.debug("no run is handed back, because Redis does not answer: %s", error)
            if time.monotonic() > leave_at:
                kill(self._children())
