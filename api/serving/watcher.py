"""The watcher: follows the version key, and swaps in the version that it names."""

import logging
import threading
import time
from collections.abc import Iterable
from contextlib import suppress

import redis

from api.serving import choice
from api.serving.replicas import Replicas
from api.serving.served_model import ServedModel, ServedModelHolder
from api.telemetry import metrics, process_files
from shared.errors import VersionNotFound, VersionNotServable
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
    ) -> None:
        self._version_key = version_key
        self._models = models
        self._holder = holder
        self._replicas = replicas
        self._looked = threading.Event()
        self._last_read: str | None = None
        self._refused_at: dict[str, float] = {}
        self.redis_answers = False

    def wait_for_first_look(self, timeout_seconds: float) -> None:
        """Wait until the first version is loaded, or known not to exist."""
        self._looked.wait(timeout_seconds)

    def watch(self, stop: threading.Event) -> None:
        """Follow the version key until `stop` is set."""
        for reading in self._version_key.follow(stop):
            try:
                self._heed(reading)
            except redis.RedisError as error:
                log.debug("Redis does not answer: %s", error)
            self._looked.set()
            # After the swap, which must not wait; and not while a call would take the time-out.
            if reading.redis_answers:
                with suppress(redis.RedisError):
                    self._replicas.note(self._holder.version)
        if self.redis_answers:
            with suppress(redis.RedisError):
                self._replicas.leave()

    def _heed(self, reading: Reading) -> None:
        self._note_redis(reading.redis_answers)
        if reading.version != self._last_read:
            self._last_read = reading.version
            self._refused_at.clear()
        named = choice.named(reading, self._holder.version)
        if named is not None:
            self._serve_first([named])
        if self._holder.version is None:
            self._serve_first(choice.stored(self._models.current(), self._models.manifests()))
        missing = choice.to_put_back(reading, self._holder.version)
        if missing is not None:
            self._version_key.put_back(missing)
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
        except (VersionNotFound, VersionNotServable) as error:
            if version not in self._refused_at:
                log.error(
                    "refused: %s. Still served: %s", error, before, extra={"model_version": version}
                )
                metrics.SWAP_FAILURES.inc()
            self._refused_at[version] = now
            return False
        self._holder.current = ServedModel(version, model)
        metrics.SWAPS.inc()
        metrics.SWAP_SECONDS.observe(time.monotonic() - now)
        metrics.MODEL_CREATED.set(manifest.created_at.timestamp())
        folder = process_files.folder()
        if folder is not None:
            process_files.note(folder, version)
        log.info("now serving (before: %s)", before, extra={"model_version": version})
        return True

    def _note_redis(self, answers: bool) -> None:
        if answers != self.redis_answers or not self._looked.is_set():
            log.log(
                logging.INFO if answers else logging.WARNING,
                "Redis answers" if answers else "Redis does not answer; predictions go on",
            )
        self.redis_answers = answers
        metrics.REDIS_UP.set(answers)
