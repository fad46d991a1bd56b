"""Liveness, readiness and metrics."""

import threading
from contextlib import suppress
from typing import Literal

import redis
from anyio import CapacityLimiter, move_on_after, to_thread
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from api import limits
from api.dependencies import (
    HolderDep,
    JobStoreDep,
    MetricsLimiterDep,
    ModelStoreDep,
    SettingsDep,
    WatcherDep,
)
from api.http.key import ApiKeyRequired
from api.schemas.answers import Live, Readiness
from api.schemas.documented import KEY_NEEDED
from api.serving.watcher import Watcher
from api.telemetry.exposition import exposition
from shared import __version__
from shared.jobs.durations import JobStatistics
from shared.jobs.store import JobStore
from shared.versions.store import ModelStore

router = APIRouter(tags=["operations"])

_looking = threading.Lock()
"""Held while the models folder is asked for its free space. A folder that does not answer, such as
one of NFS without its server, keeps one thread and not one more for each scrape."""


@router.get("/health/live")
async def get_live() -> Live:
    """Say that the process answers."""
    return Live()


@router.get(
    "/health/ready",
    responses={503: {"model": Readiness, "description": "No model is loaded yet."}},
)
async def get_ready(
    response: Response, holder: HolderDep, watcher: WatcherDep, settings: SettingsDep
) -> Readiness:
    """Answer 200 once a model is loaded. Redis is reported, and never a reason to be unready."""
    version = holder.version
    if version is None:
        response.status_code = 503
        response.headers["Retry-After"] = str(limits.RETRY_AFTER_SECONDS)
    return Readiness(
        status="ready" if version else "no model yet",
        model_version=version,
        redis=_redis(watcher),
        redis_error=watcher.redis_error,
        store_error=watcher.store_error,
        version=__version__,
        revision=settings.revision,
    )


@router.get(
    "/metrics",
    response_class=Response,
    responses=KEY_NEEDED
    | {200: {"content": {"text/plain": {}}, "description": "Prometheus text format."}},
    dependencies=[ApiKeyRequired],
)
async def get_metrics(
    holder: HolderDep,
    watcher: WatcherDep,
    settings: SettingsDep,
    jobs: JobStoreDep,
    models: ModelStoreDep,
    limiter: MetricsLimiterDep,
) -> Response:
    """Return the metrics; without what is read from Redis while Redis does not answer."""
    statistics = await _statistics(jobs, limiter) if watcher.redis_answers else None
    free = await _free_bytes(models, limiter)
    # The limiter is its own, because all other threads may be waiting for Redis.
    text = await to_thread.run_sync(
        exposition, settings.revision, holder.version, statistics, free, limiter=limiter
    )
    return Response(
        text,
        headers={"Content-Type": CONTENT_TYPE_LATEST},
    )


def _redis(watcher: Watcher) -> Literal["up", "down", "none"]:
    if not watcher.has_redis:
        return "none"
    return "up" if watcher.redis_answers else "down"


async def _statistics(jobs: JobStore, limiter: CapacityLimiter) -> JobStatistics | None:
    with move_on_after(limits.METRICS_SECONDS), suppress(redis.RedisError):
        return await to_thread.run_sync(jobs.statistics, abandon_on_cancel=True, limiter=limiter)
    return None


async def _free_bytes(models: ModelStore, limiter: CapacityLimiter) -> int | None:
    def look() -> int | None:
        if not _looking.acquire(blocking=False):
            return None
        try:
            return models.free_bytes()
        finally:
            _looking.release()

    with move_on_after(limits.METRICS_SECONDS):
        return await to_thread.run_sync(look, abandon_on_cancel=True, limiter=limiter)
    return None
