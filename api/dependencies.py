"""What a handler may ask for, as `Annotated` aliases. Made in the lifespan of `app.py`."""

import hmac
import threading
from collections.abc import AsyncIterator
from typing import Annotated, Any, TypedDict

import redis
from anyio import CapacityLimiter, Semaphore, fail_after
from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from pydantic import SecretStr

from api.serving.batcher import Batcher
from api.serving.replicas import Replicas
from api.serving.served_model import ServedModelHolder
from api.serving.watcher import Watcher
from shared.errors import KeyMissing, KeyWrong
from shared.jobs.queue import JobQueue
from shared.jobs.store import JobStore
from shared.settings import Settings
from shared.versions.store import ModelStore
from shared.versions.version_key import VersionKey

_LONGEST_WAIT_SECONDS = 1.0


class State(TypedDict):
    """What lives as long as the process; Starlette puts it into `request.state`."""

    settings: Settings
    holder: ServedModelHolder
    watcher: Watcher
    models: ModelStore
    version_key: VersionKey
    jobs: JobStore
    queue: JobQueue
    replicas: Replicas
    batcher: Batcher
    predict_limiter: CapacityLimiter
    metrics_limiter: CapacityLimiter
    stream_limiter: CapacityLimiter
    redis_turns: Semaphore
    stopping: threading.Event


def _from_state(name: str) -> Any:
    # async, because FastAPI runs a plain function in a thread: too slow for the predict path.
    async def read(request: Request) -> object:
        return request.state[name]

    return Depends(read)


HolderDep = Annotated[ServedModelHolder, _from_state("holder")]
WatcherDep = Annotated[Watcher, _from_state("watcher")]
ModelStoreDep = Annotated[ModelStore, _from_state("models")]
VersionKeyDep = Annotated[VersionKey, _from_state("version_key")]
JobStoreDep = Annotated[JobStore, _from_state("jobs")]
JobQueueDep = Annotated[JobQueue, _from_state("queue")]
ReplicasDep = Annotated[Replicas, _from_state("replicas")]
MetricsLimiterDep = Annotated[CapacityLimiter, _from_state("metrics_limiter")]
StoppingDep = Annotated[threading.Event, _from_state("stopping")]
StreamLimiterDep = Annotated[CapacityLimiter, _from_state("stream_limiter")]


async def _wait_for_turn(request: Request) -> AsyncIterator[None]:
    """Lets so many calls ask Redis at once; those behind them wait for a second at most.

    While Redis is frozen each call takes its time-out, and a queue of them would wait for that many
    times over.

    Raises:
        redis.TimeoutError: no turn came; answered as if Redis had been asked.
    """
    turns: Semaphore = request.state["redis_turns"]
    try:
        with fail_after(_LONGEST_WAIT_SECONDS):
            await turns.acquire()
    except TimeoutError:
        raise redis.TimeoutError("every turn to ask Redis is taken") from None
    try:
        yield
    finally:
        turns.release()


# Over when the handler is, not when the answer is sent: a stream's answer takes as long as the job.
RedisTurn = Depends(_wait_for_turn, scope="function")


async def _require_api_key(
    request: Request,
    key: Annotated[str | None, Security(APIKeyHeader(name="X-API-Key", auto_error=False))],
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(HTTPBearer(auto_error=False))],
) -> None:
    """Lets a call through that carries the configured key; any call where none is configured.

    Raises:
        KeyMissing: the call carries none.
        KeyWrong: it carries another.
    """
    expected: SecretStr | None = request.state["settings"].api_key
    if expected is None:
        return
    given = key or (bearer.credentials if bearer else "")
    if not given:
        raise KeyMissing("this call needs the API key, in X-API-Key or as a Bearer token")
    # Starlette reads the bytes of a header as Latin-1, whatever the client meant by them; Python
    # those of a variable as UTF-8, and escapes what is none.
    wanted = expected.get_secret_value().encode(errors="surrogateescape")
    if not hmac.compare_digest(given.encode("latin-1"), wanted):
        raise KeyWrong("that is not the API key")


ApiKeyRequired = Depends(_require_api_key)
