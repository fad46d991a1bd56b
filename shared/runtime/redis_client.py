"""The Redis client of both services: a call answers or fails within about a second."""

from collections.abc import Callable
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.runtime.redis_url import RedisServer

_TIMEOUT_SECONDS = 1.0


def connect(server: RedisServer) -> redis.Redis:
    """Return a thread-safe client; it opens no connection before its first call.

    redis-py 8 retries ten times by default, and a GET on a frozen server took more than 45 s. With
    this client a call fails after one time-out. It tries a refused or dropped connection once more
    at once, because the pool may hold a connection that a restart of Redis has closed. So any call
    may be made twice, and all of ours allow for that.
    """
    return redis.Redis.from_url(
        server.plain_url,
        **server.tls,
        decode_responses=True,
        # Somebody may have set the version key to bytes that are not UTF-8: they name no version.
        encoding_errors="replace",
        socket_timeout=_TIMEOUT_SECONDS,
        socket_connect_timeout=_TIMEOUT_SECONDS,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
    )


def if_of_its_type(read: Callable[[], Any], otherwise: Any) -> Any:
    """Return what a key holds; `otherwise` if somebody has put another type of value there."""
    try:
        return read()
    except redis.ResponseError as error:
        if "WRONGTYPE" not in str(error):
            raise
        return otherwise
