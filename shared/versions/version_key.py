"""The version key: the Redis key that names the model version to serve."""

import json
import logging
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any

import redis

from shared.errors import VersionNotServable
from shared.runtime import lua, redis_keys
from shared.runtime.redis_client import if_of_its_type
from shared.runtime.redis_keys import (
    LAST_REMOVAL,
    NOTED,
    PROCESS_PREFIX,
    REMOVAL_PREFIX,
    VERSION,
)
from shared.runtime.redis_outage import cause

_POLL_SECONDS = 1.0
_STOP_CHECK_SECONDS = 0.25
_NOTIFICATION_FLAGS = "K$"
_LONGEST = 64
"""Where a name is cut off; it has 22 bytes."""
_LONGEST_NOTED = 4096
_KEYS_AT_ONCE = 1000
_MOST_KEYS = 10_000
_LONGEST_KEY = 300
_LOOKS = 20
"""How often a choice looks at its version while versions are being removed."""

_SOURCES = lua.sources(__file__)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reading:
    """The result of one look at the choice; `version` is None if there is none."""

    version: str | None
    error: redis.RedisError | OSError | None = None
    """Why there is no answer: Redis's reason, or that of a storage that is followed without it."""

    @property
    def answers(self) -> bool:
        return self.error is None


@dataclass(frozen=True, slots=True)
class Noted:
    """The version that the key and `current.json` named when they were last alike."""

    version: str
    generation: int
    """That of the note."""
    place: str
    """Where the note lies: another store has numbers of its own."""


class Choice(StrEnum):
    """What became of the wish to set the key."""

    CHOSEN = "chosen"
    BEING_REMOVED = "being-removed"
    # A removal has ended since the look at the version began: it may have been that version's.
    LOOK_AGAIN = "look-again"
    NAMED_ALREADY = "named-already"


class VersionKey:
    """The key, to read, set and follow. All methods raise redis.RedisError unless they say more.

    Choosing a version and removing it exclude each other: each is one step of Redis's, which knows
    of the other. Only a person who sets the key by hand goes past them.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._choose = client.register_script(_SOURCES["choose"])
        self._begin_removal = client.register_script(_SOURCES["begin_removal"])
        self._may_listen = True
        self._said = False

    def get(self) -> str | None:
        """Return what the key names; None if it is missing.

        Whoever may set the key may set it to anything: what is returned is short and printable.
        """
        look = self._redis.pipeline(transaction=False)
        look.type(VERSION)
        look.getrange(VERSION, 0, _LONGEST - 1)
        kind, name = look.execute(raise_on_error=False)
        if isinstance(kind, redis.RedisError):
            raise kind
        if kind == "none":
            return None
        if isinstance(name, redis.RedisError):
            if "WRONGTYPE" not in str(name):
                raise name
            return f"a {kind}, and not a name"
        return str(name) if name.isprintable() else ascii(name)

    def served(self) -> set[str]:
        """Return the versions that the API's processes say that they serve."""
        return {version for version in served_by_processes(self._redis).values() if version}

    def choose(self, version: str, check: Callable[[str], object]) -> None:
        """Set the key to a version that `check` accepts, and that nobody removes.

        Raises:
            VersionNotServable: The version is being removed.
            Exception: Whatever `check` raises.
        """
        for _ in range(_LOOKS):
            last = if_of_its_type(lambda: self._redis.getrange(LAST_REMOVAL, 0, _LONGEST - 1), "")
            check(version)
            match self._set(version, last_removal=last):
                case Choice.CHOSEN:
                    return
                case Choice.BEING_REMOVED:
                    break
        raise VersionNotServable(
            f"model version {version} cannot be chosen, because old versions are being removed; "
            "choose another from GET /models, or try again in a second"
        )

    def carry(self, version: str, before: str, check: Callable[[str], object]) -> Choice:
        """Set the key to a version that `check` accepts, if it still names `before`.

        Raises:
            Exception: Whatever `check` raises.
        """
        last = if_of_its_type(lambda: self._redis.getrange(LAST_REMOVAL, 0, _LONGEST - 1), "")
        check(version)
        return self._set(version, last_removal=last, instead_of=before)

    def noted(self) -> Noted | None:
        """Return what key and note last had in common; None if that is not known."""
        found = if_of_its_type(lambda: self._redis.getrange(NOTED, 0, _LONGEST_NOTED - 1), "")
        try:
            said = json.loads(str(found))
            return Noted(str(said["model_version"]), int(said["generation"]), str(said["place"]))
        except (ValueError, KeyError, TypeError):
            return None

    def note(self, noted: Noted) -> None:
        """Remember what key and note have in common."""
        said = {"model_version": noted.version, "generation": noted.generation}
        self._redis.set(NOTED, json.dumps(said | {"place": noted.place}))

    def put_back(self, version: str) -> bool:
        """Set the key again after Redis was emptied; return False if something speaks against it.

        The key may name another version by now, or this one may be being removed.
        """
        return self._set(version, if_missing=True) is Choice.CHOSEN

    @contextmanager
    def removal(self, version: str) -> Iterator[bool]:
        """Keep a version from being chosen while it is removed; yield whether it may be.

        It may not if the key names it. If this process dies inside, the version cannot be chosen
        until somebody has removed it again: `removals` names it.

        Raises:
            OSError: Redis does not answer, so nobody knows.
        """
        try:
            began = bool(
                self._begin_removal(
                    keys=[VERSION, redis_keys.removal(version)],
                    args=[json.dumps({"version": version})],
                )
            )
        except redis.RedisError as error:
            raise ConnectionError(cause(error)) from error
        try:
            yield began
        finally:
            if began:
                self._end_removal(version)

    def _end_removal(self, version: str) -> None:
        try:
            end = self._redis.pipeline(transaction=True)
            end.set(LAST_REMOVAL, secrets.token_hex(8))
            end.delete(redis_keys.removal(version))
            end.execute()
        except redis.RedisError as error:
            log.warning(
                "the end of its removal is not noted: %s", error, extra={"model_version": version}
            )

    def removals(self) -> set[str]:
        """Return the versions that are being removed, or whose removal was not ended."""
        found = self._redis.scan_iter(f"{REMOVAL_PREFIX}*", count=_KEYS_AT_ONCE)
        marked = (key.removeprefix(REMOVAL_PREFIX) for key in islice(found, _MOST_KEYS))
        return {version for version in marked if len(version) <= _LONGEST}

    def forget_removals(self) -> None:
        """Let every version be chosen again, while no worker runs that could be removing one."""
        for version in self.removals():
            self._redis.delete(redis_keys.removal(version))

    def _set(self, version: str, **how: object) -> Choice:
        answer = self._choose(
            keys=[VERSION, redis_keys.removal(version), LAST_REMOVAL],
            args=[json.dumps({"version": version} | how)],
        )
        return Choice(str(answer))

    def follow(self, stop: threading.Event) -> Iterator[Reading]:
        """Yield a reading at once, one at each change of the key, and one a second besides.

        The notification makes a swap quick. The poll makes it certain: Redis delivers notifications
        at most once, and a lost one would leave a process behind. The readings end soon after
        `stop` is set. Failures of Redis are readings, never exceptions.
        """
        while not stop.is_set():
            try:
                with self._redis.pubsub() as changes:  # type: ignore[no-untyped-call]
                    self._listen(changes)
                    while not stop.is_set():
                        yield Reading(self.get())
                        self._wait_for_change(changes, stop)
            except redis.RedisError as error:
                yield Reading(None, error)
                stop.wait(_POLL_SECONDS)

    def _listen(self, changes: redis.client.PubSub) -> None:
        if self._may_listen:
            database = self._redis.connection_pool.connection_kwargs.get("db", 0)
            changes.subscribe(f"__keyspace@{database}__:{VERSION}")
            self._switch_on_notifications()

    def _wait_for_change(self, changes: redis.client.PubSub, stop: threading.Event) -> None:
        try:
            _wait_for_message(changes if self._may_listen else None, stop)
        except redis.exceptions.NoPermissionError as error:
            self._may_listen = False
            self._say_that_it_polls(error)

    def _switch_on_notifications(self) -> None:
        """Switch keyspace notifications on: a Redis server of the user's may run without them."""
        try:
            setting = "notify-keyspace-events"
            flags = self._redis.config_get(setting).get(setting) or ""
            if "K" not in flags or not set("$A") & set(flags):
                self._redis.config_set(setting, flags + _NOTIFICATION_FLAGS)
        except redis.ResponseError as error:
            self._say_that_it_polls(error)

    def _say_that_it_polls(self, error: redis.ResponseError) -> None:
        if not self._said:
            log.warning(
                "this Redis server does not let Lifeboat switch on or hear keyspace notifications, "
                "so a new version is noticed within %s s instead of milliseconds unless they are "
                "on; configure the server with 'notify-keyspace-events K$' (%s)",
                _POLL_SECONDS,
                error,
            )
        self._said = True


def served_by_processes(client: redis.Redis) -> dict[str, str | None]:
    """Return the version that each API process (`<host>:<pid>`) serves, sorted by process.

    Raises redis.RedisError.
    """
    found = client.scan_iter(f"{PROCESS_PREFIX}*", count=_KEYS_AT_ONCE)
    # A scan may return a key twice. Whoever writes to Redis may have made keys of any length.
    keys = sorted({key for key in islice(found, _MOST_KEYS) if len(key) <= _LONGEST_KEY})
    versions: Any = client.mget(keys) if keys else []
    return {
        key.removeprefix(PROCESS_PREFIX): version[:_LONGEST] or None
        for key, version in zip(keys, versions, strict=True)
        # The key may have expired since the scan.
        if version is not None
    }


def _wait_for_message(changes: redis.client.PubSub | None, stop: threading.Event) -> None:
    if changes is None:
        stop.wait(_POLL_SECONDS)
        return
    for _ in range(round(_POLL_SECONDS / _STOP_CHECK_SECONDS)):
        if stop.is_set() or changes.get_message(timeout=_STOP_CHECK_SECONDS) is not None:
            return
