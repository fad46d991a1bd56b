"""The version key: the Redis key that names the model version to serve."""

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import redis

from shared.runtime.redis_keys import VERSION

_POLL_SECONDS = 1.0
_STOP_CHECK_SECONDS = 0.25
_NOTIFICATION_FLAGS = "K$"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reading:
    """The result of one look at the key; `version` is None if the key is missing."""

    redis_answers: bool
    version: str | None


class VersionKey:
    """The key, to read, set and follow. All methods but `follow` raise redis.RedisError."""

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client

    def get(self) -> str | None:
        return cast(str | None, self._redis.get(VERSION))

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
        database = self._redis.connection_pool.connection_kwargs.get("db", 0)
        while not stop.is_set():
            try:
                with self._redis.pubsub() as changes:  # type: ignore[no-untyped-call]
                    changes.subscribe(f"__keyspace@{database}__:{VERSION}")
                    self._switch_on_notifications()
                    while not stop.is_set():
                        yield Reading(redis_answers=True, version=self.get())
                        _wait_for_message(changes, stop)
            except redis.RedisError as error:
                log.debug("Redis does not answer: %s", error)
                yield Reading(redis_answers=False, version=None)
                stop.wait(_POLL_SECONDS)

    def _switch_on_notifications(self) -> None:
        """Switch keyspace notifications on: a Redis server of the user's may run without them."""
        try:
            setting = "notify-keyspace-events"
            flags = self._redis.config_get(setting).get(setting) or ""
            if "K" not in flags or not set("$A") & set(flags):
                self._redis.config_set(setting, flags + _NOTIFICATION_FLAGS)
        except redis.ResponseError as error:
            log.warning(
                "this Redis server does not let Lifeboat switch on keyspace notifications, so a "
                "new version is noticed within %s s instead of milliseconds; configure the server "
                "with 'notify-keyspace-events K$' (%s)",
                _POLL_SECONDS,
                error,
            )


def _wait_for_message(changes: redis.client.PubSub, stop: threading.Event) -> None:
    for _ in range(round(_POLL_SECONDS / _STOP_CHECK_SECONDS)):
        if stop.is_set() or changes.get_message(timeout=_STOP_CHECK_SECONDS) is not None:
            return
