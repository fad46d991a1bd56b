"""What the worker's main process does beside passing messages to its child, each in a thread."""

import logging
import threading

import redis

from shared.errors import VersionNotFound, VersionNotServable
from shared.jobs.queue import JobQueue, celery_application
from shared.jobs.store import JobStore, Origin
from shared.jobs.watch import JobWatch
from shared.runtime.background import Background
from shared.runtime.redis_client import connect
from shared.settings import Settings
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from shared.versions.version_key import VersionKey

_RETRY_SECONDS = 1.0
_HAND_BACK_SECONDS = 0.1
_FIRST_START = "first start"

log = logging.getLogger(__name__)


def worker_name(node: str, main_pid: int) -> str:
    """Under which a worker claims jobs. Celery's node name alone is that of the machine."""
    return f"{node}#{main_pid}"


class MainProcess:
    def __init__(self, settings: Settings) -> None:
        url = settings.redis_url_with_password()
        client = connect(url)
        self._jobs = JobStore(client)
        self._queue = JobQueue(celery_application(url), client)
        self._version_key = VersionKey(client)
        self._models = ModelStore(LocalStorage(settings.models_dir), settings.signing_key)
        self._worker = ""
        self._ended = threading.Event()
        self._background = Background(
            self._mirror_version_key,
            JobWatch(self._jobs, self._queue).watch,
            self._train_first_model,
            self._hand_back_when_stopped,
        )

    def start(self, worker: str) -> None:
        """`worker` is the name under which this worker's child claims jobs."""
        self._worker = worker
        try:
            self._models.create()
        except OSError as error:
            log.warning("the models folder cannot be made: %s", error)
        self._background.start()

    def hand_back(self) -> None:
        """Called from the handler of SIGTERM: does no more there than wake the threads."""
        self._background.stopping.set()

    def stop(self) -> None:
        self._ended.set()
        self._background.stop()

    def _mirror_version_key(self, stop: threading.Event) -> None:
        """Notes the version that was chosen on the volume, for API processes without Redis."""
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
                # The words alone: the name of the file that was tried is another each time.
                reason = getattr(error, "strerror", None) or str(error)
                if said != reason:
                    said = reason
                    log.warning("the version key is not noted on the volume: %s", reason)

    def _train_first_model(self, stop: threading.Event) -> None:
        """So that predictions work soon after a first start, or one with a new record schema."""
        while not any(
            manifest.fits_this_schema and manifest.gate.outcome == "promoted"
            for manifest in self._models.manifests()
        ):
            try:
                job, is_new = self._jobs.create(force=False, origin=Origin(_FIRST_START))
                if is_new:
                    log.info("no model to serve yet; the first run", extra={"job_id": job.job_id})
                    self._queue.send(job.job_id)
                return
            except redis.RedisError as error:
                log.warning("no model to serve yet, and Redis does not answer: %s", error)
            if stop.wait(_RETRY_SECONDS):
                return

    def _hand_back_when_stopped(self, stop: threading.Event) -> None:
        """A polite stop in the middle of a run lets the next worker have it, with no death counted.

        The child learns of it from its next heartbeat, and leaves.
        """
        stop.wait()
        log.info("this worker is being stopped")
        # Again until the end: the child may claim a message that it was given just before.
        while not self._ended.wait(_HAND_BACK_SECONDS):
            try:
                job_id = self._jobs.release(self._worker)
                if job_id is not None:
                    log.info("handed back", extra={"job_id": job_id})
                    self._queue.send(job_id)
            except redis.RedisError as error:
                log.debug("Redis does not answer, so no run is handed back: %s", error)
