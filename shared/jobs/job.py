"""A job as clients see it: one training run, from the request for it to its end."""

import re
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from shared.versions.manifest import Metrics

JOB_ID_PATTERN = re.compile(r"[0-9a-f]{32}")

# Without a space at either end, which would be lost on the way.
REQUESTER_PATTERN = re.compile(r"[!-~]([ -~]{0,62}[!-~])?")


class JobStatus(StrEnum):
    # The job waits for a worker: at first, or again after its worker died or was stopped.
    QUEUED = "queued"
    # A worker holds the job, and its heartbeat moves.
    RUNNING = "running"
    # The run ended with a stored version, promoted or rejected.
    SUCCEEDED = "succeeded"
    # The run ended without a version; `error` says why.
    FAILED = "failed"
    # Somebody asked the job to stop, and it did.
    CANCELLED = "cancelled"


class Stage(StrEnum):
    """The stages of a run, in their order."""

    LOAD = "load"
    FIT = "fit"
    EVALUATE = "evaluate"
    PLOT = "plot"
    EXPORT = "export"
    VERIFY = "verify"
    PUBLISH = "publish"


class JobResult(BaseModel):
    """What a succeeded run led to; a rejected version is stored but not served."""

    outcome: Literal["promoted", "rejected"]
    reason: str
    model_version: str
    metrics: Metrics


class Job(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        use_attribute_docstrings=True,
        json_schema_extra={
            "example": {
                "job_id": "04d8e84b92d2a8a33813b1c238609411",
                "status": "running",
                "stage": "evaluate",
                "progress": 0.29,
                "created_at": "2026-11-24T00:37:26.275Z",
                "started_at": "2026-11-24T00:37:26.321Z",
                "finished_at": None,
                "attempts": 1,
                "worker": "celery@ada#4711",
                "requested_by": "page",
                "forced": False,
                "result": None,
                "error": None,
                "request_id": "9f3ac21c0e7b00000003",
            }
        },
    )

    job_id: str
    status: JobStatus
    stage: Stage | None
    """The stage that runs now, or the stage in which the run ended."""
    progress: float
    """0 to 1, over the whole run."""
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    attempts: int
    """How many times a worker took the job up."""
    worker: str | None
    """The worker that has the job, or had it last; null while the job is queued."""
    requested_by: str | None
    """Who asked for the job: `page` is the page, `<user>@<host>` a terminal, `first start` a worker
    that found no model; null if the client did not say."""
    forced: bool
    """Whether to serve its version whatever the gate decides."""
    result: JobResult | None
    error: str | None
    request_id: str | None
    """The id of the request that asked for the job, as its answer and the log lines have it."""

    @property
    def has_ended(self) -> bool:
        return self.status not in (JobStatus.QUEUED, JobStatus.RUNNING)
