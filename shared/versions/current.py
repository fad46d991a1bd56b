"""The note of the version that was last chosen to be served: `current.json`, beside the versions.

Without Redis it is the choice itself, and API processes follow it. With Redis the worker mirrors
the version key in it. Each note has a number that rises by one, which says who is newer, and a
nonce, so that no two notes are alike: a bucket's tag may be the hash of the content.
"""

import json
import secrets
from dataclasses import dataclass

from shared.versions.storage.base import KeyChanged, KeyNotFound, Storage, StorageUnreachable

KEY = "current.json"
_TRIES = 5
_NO_NUMBER = 0
"""The generation of a note of an earlier release, and of a damaged one."""


@dataclass(frozen=True, slots=True)
class Note:
    """What `current.json` says; `version` is None if it is damaged."""

    version: str | None
    generation: int
    content: bytes


def parsed(content: bytes) -> Note:
    """Return what the content of a note says, whatever it is."""
    try:
        found = json.loads(content)
        version, generation = found["model_version"], found.get("generation", _NO_NUMBER)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Note(None, _NO_NUMBER, content)
    sound = isinstance(generation, int) and not isinstance(generation, bool) and generation >= 0
    return Note(
        version if isinstance(version, str) else None,
        generation if sound else _NO_NUMBER,
        content,
    )


def look(storage: Storage) -> Note | None:
    """Return the note; None if there is none. Raises OSError if the storage does not answer."""
    try:
        return parsed(storage.read(KEY))
    except KeyNotFound:
        return None


def read(storage: Storage) -> str | None:
    """Return the version; None if nothing is noted, or if the note is damaged or unreadable.

    Raises:
        StorageUnreachable: a storage across a network does not answer, so nobody knows.
    """
    try:
        note = look(storage)
    except StorageUnreachable:
        raise
    except OSError:
        return None
    return None if note is None else note.version


def replace(
    storage: Storage, version: str, seen: Note | None, generation: int | None = None
) -> Note:
    """Note the version in place of the note that was seen; of several callers one succeeds.

    The number of the note is that of the other and one, if `generation` does not say another.

    Raises:
        KeyChanged: there is another note by now.
        OSError: the storage does not take the note.
    """
    if generation is None:
        generation = 1 if seen is None else seen.generation + 1
    noted = parsed(content(version, generation))
    storage.replace(KEY, noted.content, None if seen is None else seen.content)
    return noted


def write(storage: Storage, version: str) -> None:
    """Note the version, whatever is noted, unless it is that version already.

    Raises:
        OSError: the storage does not take the note.
    """
    for tries_left in reversed(range(_TRIES)):
        seen = look(storage)
        if seen is not None and seen.version == version:
            return
        try:
            replace(storage, version, seen)
        except KeyChanged:
            # Another worker was quicker.
            if not tries_left:
                raise
        else:
            return


def content(version: str, generation: int = 1) -> bytes:
    """Return a note that names a version."""
    note = {"model_version": version, "generation": generation, "nonce": secrets.token_hex(8)}
    return json.dumps(note).encode()
