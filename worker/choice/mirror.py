"""The version key and `current.json`, kept alike: each may be changed without the other."""

import logging
import threading
import time
from enum import StrEnum

import redis

from shared.errors import VersionNotFound, VersionNotServable
from shared.versions.current import Note
from shared.versions.store import ModelStore
from shared.versions.version_key import Choice, Noted, VersionKey

_AGAIN_SECONDS = 5.0

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
        known = alike is not None and (alike.version, alike.generation) == (key, note.generation)
        return Remedy.NOTHING if known else Remedy.REMEMBER
    if alike is not None and note.generation > alike.generation and key == alike.version:
        return Remedy.CARRY
    return Remedy.NOTE


class Mirror:
    """Follows the version key, for API processes without Redis, and looks at the note each time."""

    def __init__(self, version_key: VersionKey, models: ModelStore, place: str) -> None:
        """`place` is where the models lie."""
        self._version_key = version_key
        self._models = models
        self._place = place
        self._alike: Noted | None = None
        """As this process knows it: Redis may have been emptied, or know of another store."""
        self._said = ""
        self._failed: tuple[str, bytes | None] | None = None
        self._again_at = 0.0

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
        known = self._version_key.noted()
        alike = known if known is not None and known.place == self._place else self._alike
        found = remedy(key, note, alike)
        if found is Remedy.NOTHING:
            self._alike = alike
        elif found is Remedy.REMEMBER:
            assert note is not None
            self._remember(key, note.generation)
        else:
            self._mend(found, key, note)

    def _mend(self, found: Remedy, key: str, note: Note | None) -> None:
        """Make the two alike. To load a version may take a minute, so a failure is kept a while."""
        what = (key, None if note is None else note.content)
        if what == self._failed and time.monotonic() < self._again_at:
            return
        self._failed, self._again_at = what, time.monotonic() + _AGAIN_SECONDS
        if found is Remedy.CARRY:
            assert note is not None and note.version is not None
            self._carry(key, note.version, note.generation)
        else:
            self._models.check(key)
            # The key may have been set meanwhile, and noted by another worker.
            if self._version_key.get() == key:
                self._remember(key, self._models.replace_current(key, note).generation)
        self._failed = None

    def _carry(self, key: str, version: str, generation: int) -> None:
        try:
            self._models.check(version)
        except (VersionNotFound, VersionNotServable) as error:
            log.warning("published elsewhere, and not chosen: %s", error)
            raise
        if self._version_key.carry(version, key, self._models.manifest) is Choice.CHOSEN:
            self._remember(version, generation)
            log.info(
                "published elsewhere, so it is chosen (before: %s)",
                key,
                extra={"model_version": version},
            )

    def _remember(self, version: str, generation: int) -> None:
        self._alike = Noted(version, generation, self._place)
        self._version_key.note(self._alike)
