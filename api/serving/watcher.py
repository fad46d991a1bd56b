"""Follows the version key: loads, verifies and warms up a version, then swaps it in."""

import logging
import math
import threading
import time
from contextlib import suppress

import redis

from api.serving.replicas import Replicas
from api.serving.served_model import ServedModel, ServedModelHolder
from api.telemetry import metrics, process_files
from shared.errors import VersionNotFound, VersionNotServable
from shared.versions.store import ModelStore
from shared.versions.version_key import Reading, VersionKey

_RETRY_REFUSED_SECONDS = 5.0

log = logging.getLogger(__name__)


class Watcher:
    """`watch` runs in a thread of each API process; whatever goes wrong, what is served stays."""

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
        """Until the version to start with is loaded, or there is none."""
        self._looked.wait(timeout_seconds)

    def watch(self, stop: threading.Event) -> None:
        for reading in self._version_key.follow(stop):
            try:
                self._heed(reading)
            except redis.RedisError as error:
                log.debug("Redis does not answer: %s", error)
            self._looked.set()
            # After the swap, which waits for nothing; and not where it would take the time-out.
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
        if reading.version is not None:
            self._serve(reading.version)
        if self._holder.version is None:
            self._serve_from_volume()
        served = self._holder.version
        if reading.redis_answers and reading.version is None and served is not None:
            self._version_key.put_back(served)
            log.info("the version key was missing; put back", extra={"model_version": served})

    def _serve_from_volume(self) -> None:
        """Where Redis names nothing servable: what was chosen last, else the newest promoted."""
        candidates = [self._models.current()]
        candidates += [
            m.model_version for m in self._models.manifests() if m.gate.outcome == "promoted"
        ]
        for version in candidates:
            if version is not None and self._serve(version):
                return

    def _serve(self, version: str) -> bool:
        """Swaps to a version unless it is served already; whether it is served now."""
        if version == self._holder.version:
            return True
        now = time.monotonic()
        if now < self._refused_at.get(version, -math.inf) + _RETRY_REFUSED_SECONDS:
            return False
        try:
            manifest, model = self._models.load(version)
        except (VersionNotFound, VersionNotServable) as error:
            if version not in self._refused_at:
                log.error(
                    "refused: %s. %s stays",
                    error,
                    self._holder.version or "no model",
                    extra={"model_version": version},
                )
                metrics.SWAP_FAILURES.inc()
            self._refused_at[version] = now
            return False
        before = self._holder.version or "no model"
        self._holder.current = ServedModel(version, model)
        metrics.SWAPS.inc()
        metrics.SWAP_SECONDS.observe(time.monotonic() - now)
        metrics.MODEL_CREATED.set(manifest.created_at.timestamp())
        folder = metrics.folder()
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
