"""What a handler may ask for, as `Annotated` aliases; the lifespan in `app.py` makes it."""

import threading
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, TypedDict

import redis
from anyio import CapacityLimiter, Semaphore, fail_after
from fastapi import Depends, Request

from api import limits
from api.serving.batcher import Batcher
from api.serving.replicas import Replicas
from api.serving.served_model import ServedModelHolder
from api.serving.store_calls import StoreCalls
from api.serving.watcher import Watcher
from shared.errors import ServesOnly
from shared.jobs.queue import JobQueue
from shared.jobs.store import JobStore
from shared.settings import Settings
from shared.versions.store import ModelStore
from shared.versions.version_key import VersionKey


class State(TypedDict):
    """What lives as long as the process. Starlette puts it into `request.state`."""

    settings: Settings
    openapi: Callable[[], bytes]
    """Returns the OpenAPI document while there is no model."""
    holder: ServedModelHolder
    watcher: Watcher
    models: ModelStore
    version_key: VersionKey | None
    """This and what follows is None without Redis; `redis_turns` sees to it that nobody asks."""
    jobs: JobStore | None
    queue: JobQueue | None
    replicas: Replicas | None
    batcher: Batcher
    short_cut: object
    """The `ShortCut` of `api/short_cut/`, which stands above this module; None if it is off."""
    predict_limiter: CapacityLimiter
    metrics_limiter: CapacityLimiter
    stream_limiter: CapacityLimiter
    store_calls: StoreCalls
    redis_turns: Semaphore | None
    """None without Redis."""
    stopping: threading.Event


def _from_state(name: str) -> Any:
    # async, because FastAPI runs a plain function in a thread, which costs more than a prediction.
    async def read(request: Request) -> object:
        return request.state[name]

    return Depends(read)


SettingsDep = Annotated[Settings, _from_state("settings")]
HolderDep = Annotated[ServedModelHolder, _from_state("holder")]
WatcherDep = Annotated[Watcher, _from_state("watcher")]
ModelStoreDep = Annotated[ModelStore, _from_state("models")]
VersionKeyDep = Annotated[VersionKey, _from_state("version_key")]
JobStoreDep = Annotated[JobStore, _from_state("jobs")]
JobQueueDep = Annotated[JobQueue, _from_state("queue")]
ReplicasDep = Annotated[Replicas, _from_state("replicas")]
MetricsLimiterDep = Annotated[CapacityLimiter, _from_state("metrics_limiter")]
StoreCallsDep = Annotated[StoreCalls, _from_state("store_calls")]
StoppingDep = Annotated[threading.Event, _from_state("stopping")]
StreamLimiterDep = Annotated[CapacityLimiter, _from_state("stream_limiter")]


class Turn:
    """A call's right to ask Redis."""

    def __init__(self, turns: Semaphore) -> None:
        self._turns = turns
        self._has_ended = False

    def end(self) -> None:
        """Let another call ask Redis; on the event loop, as often as wanted."""
        if not self._has_ended:
            self._has_ended = True
            self._turns.release()


async def _wait_for_turn(request: Request) -> AsyncIterator[Turn]:
    """Let a limited number of calls ask Redis at once; the calls behind them wait for a second.

    While Redis is frozen, each call takes its whole time-out. A queue of calls without a limit
    would wait for many time-outs.

    Raises:
        redis.TimeoutError: No turn came. The API answers as if it had asked Redis.
        ServesOnly: There is no Redis.
    """
    turns: Semaphore | None = request.state["redis_turns"]
    if turns is None:
        raise ServesOnly(
            "this API only serves (LIFEBOAT_REDIS_URL is none): it has no jobs, and follows the "
            "choice that lies beside the model versions. Train and publish with `python -m "
            "worker.publish`, and choose with `python -m worker.choice`"
        )
    try:
        with fail_after(limits.TURN_SECONDS):
            await turns.acquire()
    except TimeoutError:
        raise redis.TimeoutError("every turn to ask Redis is taken") from None
    turn = Turn(turns)
    try:
        yield turn
    finally:
        turn.end()


# The turn ends with the handler, not with the answer: a stream's answer takes as long as its job.
# A handler that goes on without Redis asks for the turn and ends it earlier.
RedisTurn = Depends(_wait_for_turn, scope="function")
TurnDep = Annotated[Turn, RedisTurn]
