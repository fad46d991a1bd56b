"""The watcher: follows the choice of the version, and swaps in the version that it names."""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Protocol

import redis

from api.serving import choice
from api.serving.replicas import Replicas
from api.serving.served_model import Describe, ServedModelHolder, compiled
from api.telemetry import metrics, process_files
from shared.errors import VersionNotFound, VersionNotServable
from shared.runtime.redis_outage import Outage, public_cause
from shared.versions.storage.base import StorageUnreachable
from shared.versions.store import ModelStore
from shared.versions.version_key import Reading

log = logging.getLogger(__name__)


class Signal(Protocol):
    """What names the version to serve: the version key, or the note in the store without Redis."""

    def follow(self, stop: threading.Event) -> Iterator[Reading]:
        """Yield what is chosen at once, at each change, and now and then, until `stop` is set."""

    def put_back(self, version: str) -> bool:
        """Choose the version that is served if none is chosen; return whether that was done."""


class Watcher:
    """Keeps the holder at the chosen version: loads, verifies and warms it up, then swaps it in.

    `watch` runs in a thread of each API process. Whatever goes wrong, the served version stays.
    """

    def __init__(
        self,
        signal: Signal,
        models: ModelStore,
        holder: ServedModelHolder,
        replicas: Replicas | None,
        describe: Describe,
    ) -> None:
        """`replicas` is None without Redis; `describe` makes the OpenAPI document of a version."""
        self._describe = describe
        self._signal = signal
        self._models = models
        self._holder = holder
        self._replicas = replicas
        self._looked = threading.Event()
        self._last_read: str | None = None
        self._refused_at: dict[str, float] = {}
        self._outage = Outage(log, "predictions go on")
        self.redis_error: str | None = None
        """Why Redis does not answer, or takes no changes."""
        self.store_error: str | None = None
        """Why the store does not answer, if it is what is followed."""

    @property
    def chosen(self) -> str | None:
        """The version that was chosen when that was last read."""
        return self._last_read

    @property
    def has_redis(self) -> bool:
        return self._replicas is not None

    @property
    def served(self) -> str | None:
        return self._holder.version

    def wait_for_first_look(self, timeout_seconds: float) -> None:
        """Wait until the first version is loaded, or known not to exist."""
        self._looked.wait(timeout_seconds)

    def watch(self, stop: threading.Event) -> None:
        """Follow the choice until `stop` is set."""
        note = self._note_store if self._replicas is None else self._note_redis
        for reading in self._signal.follow(stop):
            failure = _failure(partial(self._heed, reading))
            error = reading.error or failure
            if not self._looked.is_set():
                note(error)
                self._looked.set()
            # After the swap, which must not wait; and not while a call would take the time-out. It
            # also shows whether Redis takes changes.
            if error is None and self._replicas is not None:
                error = _failure(partial(self._replicas.note, self._holder.version))
            note(error)
        if self._replicas is not None and self.redis_answers:
            with suppress(redis.RedisError):
                self._replicas.leave()

    def _heed(self, reading: Reading) -> None:
        if reading.error is None and reading.version != self._last_read:
            self._last_read = reading.version
            self._refused_at.clear()
        named = choice.named(reading, self._holder.version)
        if named is not None:
            self._serve_first([named])
        if self._holder.version is None:
            # A store that does not answer may have an older version chosen: the next look tells.
            with suppress(StorageUnreachable):
                self._serve_first(choice.stored(self._models.current(), self._models.manifests()))
        missing = choice.to_put_back(reading, self._holder.version)
        if missing is not None and self._signal.put_back(missing):
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

    def _note_store(self, error: Exception | None) -> None:
        before, self.store_error = self.store_error, None if error is None else str(error)
        metrics.STORE_UP.set(error is None)
        metrics.REDIS_UP.set(math.nan)
        if self.store_error and self.store_error != before:
            log.warning("the choice cannot be read: %s; predictions go on", self.store_error)
        elif before and error is None:
            log.info("the store answers again")

    def _note_redis(self, error: Exception | None) -> None:
        if error is not None:
            self._outage.note(error)
        elif self._looked.is_set():
            self._outage.end()
        else:
            log.info("Redis answers")
        self.redis_error = None if error is None else public_cause(error)
        metrics.REDIS_UP.set(self.redis_answers)
        metrics.STORE_UP.set(math.nan)

    @property
    def redis_answers(self) -> bool:
        """Whether there is Redis, and it answers and takes changes."""
        return self.has_redis and self._looked.is_set() and self.redis_error is None


def _failure(call: Callable[[], object]) -> redis.RedisError | None:
    """Make a call, and return the error of Redis's that it ended with."""
    try:
        call()
    except redis.RedisError as error:
        return error
    return None
