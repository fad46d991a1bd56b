"""The replicas: which version each API process serves, as the processes themselves report it."""

import os
import socket
import time

import redis

from api import limits
from shared.runtime import redis_keys
from shared.versions.version_key import served_by_processes


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
        return served_by_processes(self._redis)
