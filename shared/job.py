"""A job as clients see it: one training run, from the request for it to its end."""

import re
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from shared.manifest import Metrics

JOB_ID_PATTERN = re.compile(r"[0-9a-f]{32}")


class JobStatus(StrEnum):
    # Waiting for a worker, at first or again after one died or was stopped.
    QUEUED = "queued"
    # A worker holds it and its heartbeat moves.
    RUNNING = "running"
    # The run ended with a stored version, promoted or rejected.
    SUCCEEDED = "succeeded"
    # The run ended without a version; `error` says why.
    FAILED = "failed"
    # Somebody asked it to stop, and it did.
    CANCELLED = "cancelled"


class Stage(StrEnum):
    """The stages of a run, in their order."""

    LOAD = "load"
    FIT = "fit"
    EVALUATE = "evaluate"
    EXPORT = "export"
    VERIFY = "verify"
    PUBLISH = "publish"


class JobResult(BaseModel):
    """What a succeeded run led to. A rejected version is stored but not served."""

    outcome: Literal["promoted", "rejected"]
    reason: str
    model_version: str
    metrics: Metrics


class Job(BaseModel):
    model_config = ConfigDict(frozen=True)

    job_id: str
    status: JobStatus
    stage: Stage | None
    """The stage that runs now, or in which the run ended."""
    progress: float
    """0 to 1, over the whole run."""
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    attempts: int
    """How many times a worker took it up."""
    result: JobResult | None
    error: str | None
    request_id: str | None
    """Of the call that asked for it, as its answer and the log lines have it."""

    @property
    def has_ended(self) -> bool:
        return self.status not in (JobStatus.QUEUED, JobStatus.RUNNING)
