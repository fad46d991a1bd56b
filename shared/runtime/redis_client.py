"""How both services talk to Redis: a client that answers or fails within about a second."""

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

_TIMEOUT_SECONDS = 1.0


def connect(url: str) -> redis.Redis:
    """A lazy, thread-safe client; no connection is opened yet.

    redis-py 8 retries ten times by default, and a GET on a frozen server took more than 45 s. Here
    a call fails after one time-out. A refused or dropped connection is tried once more at once,
    because the pool may hold one that a restart of Redis has closed. Every call of ours may be made
    twice.
    """
    return redis.Redis.from_url(
        url,
        decode_responses=True,
        # Somebody may have set the version key to bytes that are no text: that names no version.
        encoding_errors="replace",
        socket_timeout=_TIMEOUT_SECONDS,
        socket_connect_timeout=_TIMEOUT_SECONDS,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
    )
