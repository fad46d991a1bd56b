"""The version key: the Redis key that names the model version to serve."""

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import redis

from shared.runtime.redis_keys import PROCESS_PREFIX, VERSION

_POLL_SECONDS = 1.0
_STOP_CHECK_SECONDS = 0.25
_NOTIFICATION_FLAGS = "K$"
_LONGEST = 64
"""Where a name is cut off; it has 22 bytes."""
_KEYS_AT_ONCE = 1000
_MOST_KEYS = 10_000
_LONGEST_KEY = 300

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reading:
    """The result of one look at the key; `version` is None if the key is missing."""

    version: str | None
    error: redis.RedisError | None = None
    """Why there is no answer."""

    @property
    def redis_answers(self) -> bool:
        return self.error is None


class VersionKey:
    """The key, to read, set and follow. All methods but `follow` raise redis.RedisError."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
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

    def set(self, version: str) -> None:
        self._redis.set(VERSION, version)

    def put_back(self, version: str) -> None:
        """Set the key again after Redis was emptied, unless it names another version by now."""
        self._redis.set(VERSION, version, nx=True)

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
