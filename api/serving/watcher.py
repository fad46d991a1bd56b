"""The watcher: follows the version key, and swaps in the version that it names."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial

import redis

from api.serving import choice
from api.serving.replicas import Replicas
from api.serving.served_model import Describe, ServedModelHolder, compiled
from api.telemetry import metrics, process_files
from shared.errors import VersionNotFound, VersionNotServable
from shared.runtime.redis_outage import Outage, public_cause
from shared.versions.store import ModelStore
from shared.versions.version_key import Reading, VersionKey

log = logging.getLogger(__name__)


class Watcher:
    """Keeps the holder at the chosen version: loads, verifies and warms it up, then swaps it in.

    `watch` runs in a thread of each API process. Whatever goes wrong, the served version stays.
    """

    def __init__(
        self,
        version_key: VersionKey,
        models: ModelStore,
        holder: ServedModelHolder,
        replicas: Replicas,
        describe: Describe,
    ) -> None:
        """`describe` makes the OpenAPI document of a version."""
        self._describe = describe
        self._version_key = version_key
        self._models = models
        self._holder = holder
        self._replicas = replicas
        self._looked = threading.Event()
        self._last_read: str | None = None
        self._refused_at: dict[str, float] = {}
        self._outage = Outage(log, "predictions go on")
        self.redis_error: str | None = None
        """Why Redis does not answer, or takes no changes."""

    @property
    def chosen(self) -> str | None:
        """The version that the version key named when it was last read."""
        return self._last_read

    @property
    def served(self) -> str | None:
        return self._holder.version

    def wait_for_first_look(self, timeout_seconds: float) -> None:
        """Wait until the first version is loaded, or known not to exist."""
        self._looked.wait(timeout_seconds)

    def watch(self, stop: threading.Event) -> None:
        """Follow the version key until `stop` is set."""
        for reading in self._version_key.follow(stop):
            failure = _failure(partial(self._heed, reading))
            error = reading.error or failure
            if not self._looked.is_set():
                self._note_redis(error)
                self._looked.set()
            # After the swap, which must not wait; and not while a call would take the time-out. It
            # also shows whether Redis takes changes.
            if error is None:
                error = _failure(partial(self._replicas.note, self._holder.version))
            self._note_redis(error)
        if self.redis_answers:
            with suppress(redis.RedisError):
                self._replicas.leave()

    def _heed(self, reading: Reading) -> None:
        if reading.version != self._last_read:
            self._last_read = reading.version
            self._refused_at.clear()
        named = choice.named(reading, self._holder.version)
        if named is not None:
            self._serve_first([named])
        if self._holder.version is None:
            self._serve_first(choice.stored(self._models.current(), self._models.manifests()))
        missing = choice.to_put_back(reading, self._holder.version)
        if missing is not None and self._version_key.put_back(missing):
            log.info("the version key was missing; put back", extra={"model_version": missing})

    def _serve_first(self, versions: Iterable[str]) -> None:
        """Swap to the first version that loads."""
        for version in versions:
            now = time.monotonic()
            if choice.may_be_tried(version, self._refused_at, now) and self._swap(version, now):
                return

    def _swap(self, version: str, now: float) -> bool:
        """Load a version and swap it in; return False if the version is refused."""
        before = self._holder.version or "no model"
        try:
            manifest, model = self._models.load(version)
            schema, quantiles = manifest.record_schema, manifest.data.quantiles
            served = compiled(
                version, schema, model, self._describe, quantiles, self._holder.current
            )
        except (VersionNotFound, VersionNotServable) as error:
            if version not in self._refused_at:
                log.error(
                    "refused: %s. Still served: %s", error, before, extra={"model_version": version}
                )
                metrics.SWAP_FAILURES.inc()
            self._refused_at[version] = now
            return False
        self._holder.current = served
        metrics.SWAPS.inc()
        metrics.SWAP_SECONDS.observe(time.monotonic() - now)
        metrics.MODEL_CREATED.set(manifest.created_at.timestamp())
        folder = process_files.folder()
        if folder is not None:
            process_files.note(folder, version)
        log.info("now serving (before: %s)", before, extra={"model_version": version})
        return True

    def _note_redis(self, error: redis.RedisError | None) -> None:
        if error is not None:
            self._outage.note(error)
        elif self._looked.is_set():
            self._outage.end()
        else:
            log.info("Redis answers")
        self.redis_error = None if error is None else public_cause(error)
        metrics.REDIS_UP.set(self.redis_answers)

    @property
    def redis_answers(self) -> bool:
        """Whether Redis answers, and takes changes."""
        return self._looked.is_set() and self.redis_error is None


def _failure(call: Callable[[], object]) -> redis.RedisError | None:
    """Make a call, and return the error of Redis's that it ended with."""
    try:
        call()
    except redis.RedisError as error:
        return error
    return None
