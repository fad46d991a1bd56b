"""Jobs and their records in Redis: the record is the truth about a job, a message only a hint.

A worker's calls are in `attempts.py`.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import redis

from shared.errors import JobEnded, JobNotFound
from shared.jobs.durations import JobStatistics, durations
from shared.jobs.job import JOB_ID_PATTERN, Job, JobResult, JobStatus
from shared.jobs.steps import Cancellation, Steps, timestamp
from shared.runtime import redis_keys

KEEP_JOBS = 200
"""Records kept; the oldest is deleted when a new job is made."""

MAX_DEATHS = 3
"""A job has failed after its worker died this often."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asked for a job, and by which request: its id, and its span if it was traced (W3C)."""

    requested_by: str | None = None
    request_id: str | None = None
    traceparent: str | None = None


_NOBODY = Origin()


@dataclass(frozen=True, slots=True)
class Pulse:
    """What tells a watcher whether a worker works on the active job."""

    job_id: str
    status: JobStatus
    attempt: int
    heartbeat: int


class JobStore:
    """The records of the recent jobs: what a client asks of them, and what a watcher does.

    Every method raises redis.RedisError when Redis does not answer.

    redis-py types its answers for both of its decoding modes. Our client always decodes, so answers
    are taken as Any and get their type from what a method returns.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._steps = Steps(client)

    def create(self, *, force: bool, origin: Origin = _NOBODY) -> tuple[Job, bool]:
        """Return the active job, and whether it is a new one.

        `force` also holds for a run in flight; `origin` for a new job only.
        """
        proposed = secrets.token_hex(16)
        job_id = self._steps.run(
            "create",
            proposed,
            redis_keys.JOBS,
            record=_new_record(proposed, force, origin),
            keep=KEEP_JOBS,
            job_prefix=redis_keys.JOB_PREFIX,
            events_prefix=redis_keys.EVENTS_PREFIX,
        )
        return self.get(job_id), job_id == proposed

    def get(self, job_id: str) -> Job:
        """Return a job; raise JobNotFound if the id is unknown or malformed."""
        record: Any = self._redis.hgetall(redis_keys.job(_checked(job_id)))
        if not record:
            raise _unknown(job_id)
        return _job(record)

    def recent(self, limit: int) -> list[Job]:
        """Return the recent jobs, newest first."""
        ids: Any = self._redis.lrange(redis_keys.JOBS, 0, limit - 1)
        pipeline = self._redis.pipeline(transaction=False)
        for job_id in ids:
            pipeline.hgetall(redis_keys.job(job_id))
        return [_job(record) for record in pipeline.execute() if record]

    def changes(self, job_id: str, after: str) -> list[tuple[str, Job]]:
        """Return event ids with the job at each change since the event `after` ("0" for all)."""
        entries: Any = self._redis.xrange(redis_keys.events(_checked(job_id)), min=f"({after}")
        return [(event_id, _job(record)) for event_id, record in entries]

    def cancel(self, job_id: str) -> Job:
        """End a queued job, or ask a running one to stop.

        Raises:
            JobNotFound: there is no such job.
            JobEnded: the job has already ended.
        """
        answer = Cancellation(self._steps.run("cancel", _checked(job_id)))
        if answer is Cancellation.UNKNOWN:
            raise _unknown(job_id)
        job = self.get(job_id)
        if answer is Cancellation.ENDED:
            raise JobEnded(f"job {job_id} has already ended: it {_ENDINGS[job.status]}")
        return job

    def statistics(self) -> JobStatistics:
        """Return how many jobs wait, and how long those that have ended took."""
        pulse = self.pulse()
        fields: Any = self._redis.hgetall(redis_keys.JOB_DURATIONS)
        queued = pulse is not None and pulse.status is JobStatus.QUEUED
        return JobStatistics(queued=int(queued), durations=durations(fields))

    def pulse(self) -> Pulse | None:
        """Return the pulse of the active job; None if no job is queued or running."""
        job_id: Any = self._redis.get(redis_keys.ACTIVE_JOB)
        if job_id is None:
            return None
        fields: Any = self._redis.hmget(redis_keys.job(job_id), "status", "attempts", "heartbeat")
        status, attempt, heartbeat = fields
        if status not in (JobStatus.QUEUED, JobStatus.RUNNING):
            return None
        return Pulse(job_id, JobStatus(status), int(attempt), int(heartbeat))

    def bury(self, pulse: Pulse) -> JobStatus | None:
        """Count the death of a worker whose pulse stood still.

        Returns the job's new status; None if the attempt was alive after all, or if another watcher
        was quicker.
        """
        status = self._steps.run(
            "bury",
            pulse.job_id,
            attempt=pulse.attempt,
            heartbeat=pulse.heartbeat,
            most_deaths=MAX_DEATHS,
            error=f"the worker died {MAX_DEATHS} times while running this job; its log says why. "
            "The usual cause is too little memory for the training data",
        )
        return JobStatus(status) if status else None


_ENDINGS = {
    JobStatus.SUCCEEDED: "succeeded",
    JobStatus.FAILED: "failed",
    JobStatus.CANCELLED: "was cancelled",
}


def _new_record(job_id: str, force: bool, origin: Origin) -> dict[str, str]:
    """Return every field of a new job's record: a Redis hash of strings, in which "" is null."""
    return {
        # The public fields of `Job`.
        "job_id": job_id,
        "status": JobStatus.QUEUED,
        "stage": "",
        "progress": "0",
        "created_at": timestamp(),
        "started_at": "",
        "finished_at": "",
        "attempts": "0",
        "worker": "",
        "requested_by": origin.requested_by or "",
        "request_id": origin.request_id or "",
        "result": "",
        "error": "",
        # `forced` of `Job`: 0 or 1.
        "force": str(int(force)),
        # The rest is not shown. `started_seconds` joins it at the first start: `started_at` by the
        # clock of Redis.
        "cancel_requested": "0",
        "deaths": "0",
        # A counter that the worker moves once a second.
        "heartbeat": "0",
        # The name that is chosen for the version to publish.
        "model_version": "",
        # The id of the call that was heeded last; see `steps.py`.
        "last_call": "",
        "traceparent": origin.traceparent or "",
    }


def _job(record: Mapping[str, str]) -> Job:
    fields: dict[str, Any] = {name: record.get(name) or None for name in Job.model_fields}
    fields["forced"] = record.get("force") == "1"
    if fields["result"] is not None:
        fields["result"] = JobResult.model_validate_json(fields["result"])
    return Job.model_validate(fields)


def _checked(job_id: str) -> str:
    # The id may come from a client: it never becomes part of a key unless it is well-formed.
    if not JOB_ID_PATTERN.fullmatch(job_id):
        raise _unknown(job_id)
    return job_id


def _unknown(job_id: str) -> JobNotFound:
    return JobNotFound(f"there is no job {job_id[:80]!r}; see GET /jobs for the recent ones")
