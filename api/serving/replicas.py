"""The replicas: which version each API process serves, as the processes themselves report it."""

import os
import socket
import time
from itertools import islice
from typing import Any

import redis

from api import limits
from shared.runtime import redis_keys

_KEYS_AT_ONCE = 1000
_MOST_KEYS = 10_000
_LONGEST_KEY = 300
_LONGEST_VERSION = 64


class Replicas:
    """The list in Redis of what each API process serves, over all hosts that share the server.

    Every method raises redis.RedisError when Redis does not answer.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._key = redis_keys.process(f"{socket.gethostname()}:{os.getpid()}")
        self._noted: str | None = None
        self._renew_at = 0.0

    def note(self, version: str | None) -> None:
        """Note that this process serves `version`.

        Call it once a second and after each swap; it writes to Redis only if it must.
        """
        now = time.monotonic()
        if version != self._noted or now >= self._renew_at:
            self._redis.set(self._key, version or "", ex=limits.REPLICA_EXPIRES_SECONDS)
            self._noted, self._renew_at = version, now + limits.REPLICA_RENEW_SECONDS

    def leave(self) -> None:
        """Remove this process from the list, because it is about to end."""
        self._redis.delete(self._key)

    def versions(self) -> dict[str, str | None]:
        """Return the version that each process (`<host>:<pid>`) serves, sorted by process."""
        found = self._redis.scan_iter(f"{redis_keys.PROCESS_PREFIX}*", count=_KEYS_AT_ONCE)
        # A scan may return a key twice. Whoever writes to Redis may have made keys of any length.
        keys = sorted({key for key in islice(found, _MOST_KEYS) if len(key) <= _LONGEST_KEY})
        versions: Any = self._redis.mget(keys) if keys else []
        return {
            key.removeprefix(redis_keys.PROCESS_PREFIX): version[:_LONGEST_VERSION] or None
            for key, version in zip(keys, versions, strict=True)
            # The key may have expired since the scan.
            if version is not None
        }
