"""How an API process without Redis follows the choice: it asks for `current.json` now and then."""

import threading
import time
from collections.abc import Iterator

from shared.versions import current
from shared.versions.storage.base import KeyNotFound, Storage
from shared.versions.version_key import Reading


class NoteFollower:
    """Follows the note as `VersionKey` follows the key, for processes that serve only."""

    def __init__(self, storage: Storage, poll_seconds: float) -> None:
        self._storage = storage
        self._poll_seconds = poll_seconds

    def follow(self, stop: threading.Event) -> Iterator[Reading]:
        """Yield a reading at once, and one each `poll_seconds` besides, until `stop` is set.

        A note that has not changed costs a conditional request without a body. Failures of the
        storage are readings, never exceptions.
        """
        tag: str | None = None
        version: str | None = None
        while not stop.is_set():
            began = time.monotonic()
            error: OSError | None = None
            try:
                found = self._storage.read_if_changed(current.KEY, tag)
                if found is not None:
                    tag, version = found.tag, current.parsed(found.content).version
            except KeyNotFound:
                tag = version = None
            except OSError as failure:
                error = failure
            yield Reading(None if error else version, error)
            # From look to look, so that a version is noticed within this time of its choice.
            stop.wait(max(0.0, began + self._poll_seconds - time.monotonic()))

    def put_back(self, _: str) -> bool:
        """Return False: whoever only serves chooses nothing."""
        return False
