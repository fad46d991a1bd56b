"""The model that a cloud function has in memory: the first call loads it, later calls look on.

Threads stand still between the calls of a function, so nothing can follow the choice there. A call
looks instead, now and then and for a short time.
"""

import logging
import threading
import time
from collections.abc import Iterator

from api.serving.served_model import ServedModel, compiled
from shared import bucket
from shared.errors import NoModelYet, StoreUnreachable, VersionNotFound, VersionNotServable
from shared.settings import Settings
from shared.versions import current
from shared.versions.reader import ModelReader
from shared.versions.storage.base import KeyNotFound, Storage
from shared.versions.storage.bucket import BucketStorage
from shared.versions.storage.local import LocalStorage

RECHECK_SECONDS = 30.0
"""Time between two looks at `current.json`."""

PATIENCE_SECONDS = 0.25
"""How long a call waits for a look, and for a newer version to be loaded; then it is answered by
the version that is there, and the look goes on while later calls are answered."""

FAILED_SECONDS = 1.0
"""How long calls are answered with 503 at once, after a first load that failed."""

log = logging.getLogger(__name__)


class Model:
    """Holds one version, and swaps it for the one that `current.json` names. For any thread."""

    def __init__(self, storage: Storage, models: ModelReader) -> None:
        self._storage = storage
        self._models = models
        self._turn = threading.Lock()
        self._served: ServedModel | None = None
        self._failure: NoModelYet | None = None
        self._look: threading.Thread | None = None
        self._looked = 0.0
        self._tag: str | None = None
        """The tag of the note that names the version in memory."""

    def served(self) -> ServedModel:
        """Return the version to predict with.

        Raises:
            NoModelYet: no version could be loaded.
        """
        with self._turn:
            # The clock on the wall, because the others may stand still between calls, too. It may
            # be set back.
            passed = abs(time.time() - self._looked)
            if self._served is None:
                if self._failure is None or passed >= FAILED_SECONDS:
                    self._load_first()
            elif passed >= RECHECK_SECONDS:
                self._look_again()
            if self._served is None:
                assert self._failure is not None
                raise self._failure.with_traceback(None)
            return self._served

    def _load_first(self) -> None:
        try:
            self._served = self._first()
        except NoModelYet as error:
            log.error("%s", error)
            self._failure = error
        self._looked = time.time()

    def _first(self) -> ServedModel:
        """Load the version that is chosen, else the newest promoted one that loads, as the API."""
        try:
            note = self._storage.read_if_changed(current.KEY, None)
        except KeyNotFound:
            note = None
        except OSError as error:
            raise NoModelYet(f"the store of versions cannot be read: {error}; try again") from error
        chosen = None if note is None else current.parsed(note.content).version
        for version in self._worth_trying(chosen):
            try:
                served = self._load(version)
            except StoreUnreachable as error:
                raise NoModelYet(str(error)) from error
            except (VersionNotFound, VersionNotServable) as error:
                log.error("refused: %s", error)
                continue
            if note is not None and version == chosen:
                self._tag = note.tag
            return served
        raise NoModelYet(
            "the store of versions has none that can be served; publish a model, and see the log "
            "of this function for versions that were refused"
        )

    def _worth_trying(self, chosen: str | None) -> Iterator[str]:
        if chosen is not None:
            yield chosen
        for manifest in self._models.manifests():
            if manifest.gate.outcome == "promoted" and manifest.model_version != chosen:
                yield manifest.model_version

    def _look_again(self) -> None:
        if self._look is None or not self._look.is_alive():
            # A daemon: a store that does not answer must not keep the process from ending.
            self._look = threading.Thread(target=self._take_newer, name="look", daemon=True)
            self._look.start()
        self._look.join(PATIENCE_SECONDS)
        self._looked = time.time()

    def _take_newer(self) -> None:
        """Swap in the version that the note names, if the note has changed."""
        before = self._served
        try:
            note = self._storage.read_if_changed(current.KEY, self._tag)
            if note is None:
                return
            version = current.parsed(note.content).version
            if version is not None and (before is None or version != before.version):
                self._served = self._load(version)
                log.info("now serving", extra={"model_version": version})
            # Last, so that what could not be loaded is tried again.
            self._tag = note.tag
        except (OSError, VersionNotFound, VersionNotServable) as error:
            served = None if before is None else before.version
            log.warning("%s. Still served: %s", error, served)

    def _load(self, version: str) -> ServedModel:
        manifest, model = self._models.load(version)
        schema, quantiles = manifest.record_schema, manifest.data.quantiles
        return compiled(version, schema, model, _undescribed, quantiles, self._served)


def model(settings: Settings) -> Model:
    """Build the model of the settings' store; nothing is asked for before its first use."""
    storage = _storage(settings)
    return Model(storage, ModelReader(storage, settings.signing_key, settings.old_signing_keys))


def _storage(settings: Settings) -> Storage:
    # `shared.resources` does the same, and imports the clients of Redis, which no function has.
    url = settings.bucket_url
    if url is None:
        return LocalStorage(settings.models_dir)
    quick, patient = settings.store_timeout_seconds, settings.store_load_timeout_seconds
    return BucketStorage(
        str(url),
        bucket.client(url, settings.store_endpoint, quick),
        bucket.client(url, settings.store_endpoint, patient),
    )


def _undescribed(_: object) -> bytes:
    """Return no OpenAPI document: a function has no path for one."""
    return b""
