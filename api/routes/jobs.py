"""`PUT /run-pipeline`, and the jobs that it makes."""

import logging
import re
import threading
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Annotated

import anyio
import redis
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from api import limits
from api.dependencies import (
    JobQueueDep,
    JobStoreDep,
    RedisTurn,
    SettingsDep,
    StoppingDep,
    StreamLimiterDep,
)
from api.http.key import ApiKeyRequired
from api.schemas.answers import Jobs, StartedRun
from api.schemas.documented import ACCEPTED, JOB_ENDED, KEY_NEEDED, NO_JOB, NO_REDIS
from api.schemas.parameters import JobId, RequestedBy
from api.telemetry.metrics import SHED, Cap
from shared.errors import JobNotFound, Overloaded
from shared.jobs.job import Job
from shared.jobs.store import KEEP_JOBS, JobStore, Origin
from shared.runtime import log_context, tracing

_open_streams: set[Response] = set()
"""Those of this process."""

_EVENT_ID = re.compile(r"[0-9]{1,19}-[0-9]{1,19}")

log = logging.getLogger(__name__)

router = APIRouter(tags=["training"], responses=NO_REDIS, dependencies=[RedisTurn])


# Handlers that ask Redis are plain functions: FastAPI runs them in threads, off the event loop.
@router.put(
    "/run-pipeline", status_code=202, responses=ACCEPTED | KEY_NEEDED, dependencies=[ApiKeyRequired]
)
def put_run_pipeline(
    response: Response,
    jobs: JobStoreDep,
    queue: JobQueueDep,
    settings: SettingsDep,
    force: Annotated[bool, Query(description="Promote whatever the gate says.")] = False,
    requested_by: RequestedBy = None,
) -> StartedRun:
    """Start a training run, or answer with the run that is queued or running."""
    origin = Origin(requested_by, log_context.request_id.get(), tracing.traceparent())
    job, is_new = jobs.create(force=force, origin=origin)
    which = "a new one" if is_new else "the one in flight"
    log.info("asked for a run: %s", which, extra={"job_id": job.job_id})
    if is_new:
        queue.send(job.job_id)
    status_url = f"{settings.root_path}/jobs/{job.job_id}"
    response.headers["Location"] = status_url
    return StartedRun(job_id=job.job_id, status=job.status, status_url=status_url)


@router.get("/jobs")
def get_jobs(jobs: JobStoreDep, limit: Annotated[int, Query(ge=1, le=KEEP_JOBS)] = 20) -> Jobs:
    """List the recent jobs, newest first."""
    return Jobs(jobs=jobs.recent(limit))


@router.get("/jobs/{job_id}", responses=NO_JOB)
def get_job(job_id: JobId, jobs: JobStoreDep) -> Job:
    return jobs.get(job_id)


@router.delete(
    "/jobs/{job_id}",
    status_code=202,
    responses=NO_JOB | JOB_ENDED | KEY_NEEDED,
    dependencies=[ApiKeyRequired],
)
def delete_job(job_id: JobId, jobs: JobStoreDep) -> Job:
    """Cancel a queued job at once; a running job stops at its next stage or fold."""
    return jobs.cancel(job_id)


@router.get(
    "/jobs/{job_id}/events",
    response_class=StreamingResponse,
    responses=NO_JOB
    | {
        200: {"content": {"text/event-stream": {}}, "description": "A `Job` at each change."},
        204: {"description": "The job has ended, and its last change was `Last-Event-ID`."},
    },
)
async def get_job_events(
    job_id: JobId,
    jobs: JobStoreDep,
    stopping: StoppingDep,
    limiter: StreamLimiterDep,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Stream the job at each change, as server-sent events, until it ends.

    A stream that was broken off resumes at `Last-Event-ID`.
    """
    if len(_open_streams) >= limits.STREAMS:
        SHED.labels(Cap.STREAMS).inc()
        raise Overloaded(
            f"expected fewer than {limits.STREAMS} event streams in a process, found as many; ask "
            "for the job now and then instead"
        )
    job = await to_thread.run_sync(jobs.get, job_id)
    after = last_event_id if last_event_id and _EVENT_ID.fullmatch(last_event_id) else "0"
    if job.has_ended:
        left = [_event(*change) for change in await to_thread.run_sync(jobs.changes, job_id, after)]
        # 204 tells an EventSource to stop; after anything else it would connect again, for ever.
        return _EventStream(left) if left else Response(status_code=204)
    return _EventStream(_events(jobs, job, after, stopping, limiter))


class _EventStream(StreamingResponse):
    media_type = "text/event-stream"

    def __init__(self, events: Iterable[str] | AsyncIterable[str]) -> None:
        # X-Accel-Buffering keeps nginx from holding events back.
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        super().__init__(events, headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        _open_streams.add(self)
        try:
            await super().__call__(scope, receive, send)
        finally:
            _open_streams.discard(self)


def _event(event_id: str, job: Job) -> str:
    return f"id: {event_id}\ndata: {job.model_dump_json()}\n\n"


async def _events(
    jobs: JobStore, job: Job, after: str, stopping: threading.Event, limiter: CapacityLimiter
) -> AsyncIterator[str]:
    pinged = time.monotonic()
    while not stopping.is_set():
        try:
            changes = await to_thread.run_sync(jobs.changes, job.job_id, after, limiter=limiter)
            for after, job in changes:
                yield _event(after, job)
            if job.has_ended:
                return
            if time.monotonic() - pinged > limits.EVENTS_PING_SECONDS:
                pinged = time.monotonic()
                # Raises if Redis was emptied, which ends the stream.
                job = await to_thread.run_sync(jobs.get, job.job_id, limiter=limiter)
                yield ": still here\n\n"
        except JobNotFound:
            return
        except redis.RedisError:
            yield ": Redis does not answer\n\n"
        await anyio.sleep(limits.EVENTS_SECONDS)
