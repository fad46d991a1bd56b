"""The version key and `current.json`, kept alike: each may be changed without the other."""

import logging
import threading
from enum import StrEnum

import redis

from shared.errors import VersionNotFound, VersionNotServable
from shared.versions.current import Note
from shared.versions.store import ModelStore
from shared.versions.version_key import Choice, Noted, VersionKey

log = logging.getLogger(__name__)


class Remedy(StrEnum):
    """What makes the two alike."""

    NOTHING = "nothing"
    REMEMBER = "remember"
    """They are alike, and it has to be noted that they are."""
    NOTE = "note"
    """The note takes over what the key names."""
    CARRY = "carry"
    """The key takes over what the note names."""


def remedy(key: str, note: Note | None, alike: Noted | None) -> Remedy:
    """Return what to do; `alike` is what both said when they were last alike.

    The key is the choice, unless only the note has changed since: then somebody has published
    elsewhere, without this Redis. If both have changed, the key stays, because a person may have
    set it.
    """
    if note is None or note.version is None:
        return Remedy.NOTE
    if note.version == key:
        return Remedy.NOTHING if alike == Noted(key, note.generation) else Remedy.REMEMBER
    if alike is not None and note.generation > alike.generation and key == alike.version:
        return Remedy.CARRY
    return Remedy.NOTE


class Mirror:
    """Follows the version key, for API processes without Redis, and looks at the note each time."""

    def __init__(self, version_key: VersionKey, models: ModelStore) -> None:
        self._version_key = version_key
        self._models = models
        self._alike: Noted | None = None
        """As this process knows it: Redis may have been emptied."""
        self._said = ""

    def follow(self, stop: threading.Event) -> None:
        """Keep the two alike until `stop` is set."""
        for reading in self._version_key.follow(stop):
            if reading.version is None:
                continue
            try:
                self._look(reading.version)
                self._said = ""
            except redis.RedisError:
                # The next reading says what is wrong.
                continue
            except (VersionNotFound, VersionNotServable, OSError) as error:
                # Without the name of the file that was tried, which differs each time.
                reason = getattr(error, "strerror", None) or str(error)
                if self._said != reason:
                    self._said = reason
                    log.warning("the version key is not noted on the volume: %s", reason)

    def _look(self, key: str) -> None:
        note = self._models.note()
        alike = self._version_key.noted() or self._alike
        match remedy(key, note, alike):
            case Remedy.NOTHING:
                self._alike = alike
            case Remedy.REMEMBER:
                assert note is not None
                self._remember(Noted(key, note.generation))
            case Remedy.NOTE:
                self._models.load(key)
                written = self._models.replace_current(key, note)
                self._remember(Noted(key, written.generation))
            case Remedy.CARRY:
                assert note is not None and note.version is not None
                self._carry(key, note.version, note.generation)

    def _carry(self, key: str, version: str, generation: int) -> None:
        self._models.load(version)
        if self._version_key.carry(version, key, self._models.manifest) is Choice.CHOSEN:
            self._remember(Noted(version, generation))
            log.info(
                "published elsewhere, so it is chosen (before: %s)",
                key,
                extra={"model_version": version},
            )

    def _remember(self, alike: Noted) -> None:
        self._alike = alike
        self._version_key.note(alike)
