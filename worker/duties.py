"""What the worker's main process looks after beside passing messages to its child."""

import logging
import threading
import time

import redis

from shared.errors import StoreUnreachable
from shared.jobs.store import Origin
from shared.jobs.watch import JobWatch
from shared.resources import Resources
from shared.runtime.background import Background
from shared.runtime.redis_outage import cause
from shared.schema.compatibility import is_same
from worker.choice.mirror import Mirror
from worker.pool import Children, ChildWatch, kill
from worker.training_right import READING, OwnDefinition

_RETRY_SECONDS = 1.0
_HAND_BACK_SECONDS = 0.1
_LEAVE_SECONDS = 4.0
"""How long a child may take to leave when the worker is stopped; it takes 3 s if Redis answers."""
_FIRST_START = "first start"

log = logging.getLogger(__name__)


class Duties:
    """The threads of the main process: version key, recovery of jobs, first model, polite stop."""

    def __init__(
        self,
        resources: Resources,
        worker: str,
        definition: OwnDefinition,
        child_watch: ChildWatch,
        children: Children,
    ) -> None:
        """`worker` is the name under which this worker's child claims jobs."""
        self._jobs = resources.jobs
        self._attempts = resources.attempts
        self._queue = resources.queue
        self._version_key = resources.version_key
        self._models = resources.models
        self._worker = worker
        self._definition = definition
        self._child_watch = child_watch
        self._children = children
        self._ended = threading.Event()
        self._background = Background(
            Mirror(self._version_key, self._models, resources.models_place).follow,
            JobWatch(self._jobs, self._queue).watch,
            self._definition.follow,
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

    def _train_first_model(self, stop: threading.Event) -> None:
        """Ask for a run if no version has this definition's schema: a first start, or a new one.

        A run that nobody asked for must not take the place of a model that it cannot be compared
        with. So it waits while a version cannot be read; beside a version of another schema that is
        served, the gate rejects it.
        """
        # Which takes two seconds, and is not worth a warning.
        said = READING
        while True:
            reason = ""
            try:
                if self._has_a_model():
                    return
                reason = self._why_to_wait()
                if not reason:
                    job, is_new = self._jobs.create(force=False, origin=Origin(_FIRST_START))
                    if is_new:
                        about = {"job_id": job.job_id}
                        log.info("no model of this definition yet; the first run", extra=about)
                        self._queue.send(job.job_id)
                    return
            except redis.RedisError as error:
                reason = cause(error)
            except StoreUnreachable as error:
                reason = str(error)
            if reason != said:
                said = reason
                log.warning("no model of this definition yet, and %s", reason)
            if stop.wait(_RETRY_SECONDS):
                return

    def _has_a_model(self) -> bool:
        manifests = self._models.listed()
        promoted = [manifest for manifest in manifests if manifest.gate.outcome == "promoted"]
        schema = self._definition.schema
        if schema is None:
            # A run tells whoever looks at the page why the definition is broken. While it is being
            # read, nothing is known.
            return bool(promoted and self._definition.broken)
        # Beside what is served, a version that was rejected need not be trained again.
        own = manifests if promoted else []
        return any(is_same(manifest.record_schema, schema) for manifest in own)

    def _why_to_wait(self) -> str:
        """Return why no run is asked for by itself; empty if nothing is in the way.

        Raises redis.RedisError.
        """
        if self._definition.waits_for:
            return self._definition.waits_for
        for reason in self._models.unreadable():
            return f"none is trained without being asked for, because of a version there: {reason}"
        if not self._models.versions():
            for version in sorted(self._version_key.served()):
                return (
                    f"none is trained without being asked for while the API serves {version}, "
                    "which is not in the models folder; force a run "
                    "(PUT /run-pipeline?force=true), or stop it"
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
