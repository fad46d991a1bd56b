"""The note of the version that was last chosen to be served: `current.json`, beside the versions.

The worker writes it, for API processes that start without Redis.
"""

import json

from shared.versions.storage.base import KeyChanged, KeyNotFound, Storage

KEY = "current.json"
_TRIES = 5


def read(storage: Storage) -> str | None:
    """Return the version; None if nothing is noted, or if the note is damaged or out of reach."""
    try:
        return _version_in(storage.read(KEY))
    except OSError:
        return None


def write(storage: Storage, version: str) -> None:
    """Note the version, unless it is noted already.

    Raises:
        OSError: the storage does not take the note.
    """
    for tries_left in reversed(range(_TRIES)):
        noted = _noted(storage)
        if noted is not None and _version_in(noted) == version:
            return
        try:
            storage.replace(KEY, content(version), noted)
        except KeyChanged:
            # Another worker was quicker.
            if not tries_left:
                raise
        else:
            return


def content(version: str) -> bytes:
    """Return the note that names a version."""
    return json.dumps({"model_version": version}).encode()


def _noted(storage: Storage) -> bytes | None:
    try:
        return storage.read(KEY)
    except KeyNotFound:
        return None


def _version_in(content: bytes) -> str | None:
    try:
        version = json.loads(content)["model_version"]
    except (ValueError, KeyError, TypeError):
        return None
    return version if isinstance(version, str) else None
