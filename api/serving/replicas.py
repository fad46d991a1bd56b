"""Which version each API process serves, as the processes themselves say."""

import os
import socket
import time
from typing import Any

import redis

from shared.runtime import redis_keys

EXPIRES_SECONDS = 10
"""A process that was killed is listed for so long."""

_RENEW_SECONDS = 3.0
_KEYS_AT_ONCE = 1000


class Replicas:
    """What this process serves, noted in Redis, and what all of them have noted there, over all
    hosts that share it.

    Raises redis.RedisError from every method when Redis does not answer.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._key = redis_keys.process(f"{socket.gethostname()}:{os.getpid()}")
        self._noted: str | None = None
        self._renew_at = 0.0

    def note(self, version: str | None) -> None:
        """To be called once a second, and after each swap; writes where that is needed."""
        now = time.monotonic()
        if version != self._noted or now >= self._renew_at:
            self._redis.set(self._key, version or "", ex=EXPIRES_SECONDS)
            self._noted, self._renew_at = version, now + _RENEW_SECONDS

    def leave(self) -> None:
        """This process is about to end."""
        self._redis.delete(self._key)

    def versions(self) -> dict[str, str | None]:
        """Process (`<host>:<pid>`) -> the version that it serves; sorted by process."""
        found = self._redis.scan_iter(f"{redis_keys.PROCESS_PREFIX}*", count=_KEYS_AT_ONCE)
        # A scan may meet a key twice.
        keys = sorted({*found})
        versions: Any = self._redis.mget(keys) if keys else []
        return {
            key.removeprefix(redis_keys.PROCESS_PREFIX): version or None
            for key, version in zip(keys, versions, strict=True)
            # It may have expired since.
            if version is not None
        }
