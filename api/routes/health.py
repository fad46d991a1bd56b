"""Liveness, readiness and metrics."""

from anyio import to_thread
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from api import metrics
from api.dependencies import ApiKeyRequired, HolderDep, MetricsLimiterDep, WatcherDep
from api.errors import RETRY_AFTER_SECONDS
from api.schemas import KEY_NEEDED, Live, Readiness

router = APIRouter(tags=["operations"])


@router.get("/health/live")
async def get_live() -> Live:
    """The process answers."""
    return Live()


@router.get(
    "/health/ready",
    responses={503: {"model": Readiness, "description": "No model is loaded yet."}},
)
async def get_ready(response: Response, holder: HolderDep, watcher: WatcherDep) -> Readiness:
    """200 once a model is loaded. Redis is reported and never a reason to be unready."""
    version = holder.version
    if version is None:
        response.status_code = 503
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return Readiness(
        status="ready" if version else "no model yet",
        model_version=version,
        redis="up" if watcher.redis_answers else "down",
    )


@router.get(
    "/metrics",
    response_class=Response,
    responses=KEY_NEEDED
    | {200: {"content": {"text/plain": {}}, "description": "Prometheus text format."}},
    dependencies=[ApiKeyRequired],
)
async def get_metrics(holder: HolderDep, limiter: MetricsLimiterDep) -> Response:
    # A thread of its own: the others may all be waiting for Redis.
    text = await to_thread.run_sync(metrics.exposition, holder.version, limiter=limiter)
    return Response(
        text,
        headers={"Content-Type": CONTENT_TYPE_LATEST},
    )
