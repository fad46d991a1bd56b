"""Jobs and their records in Redis: the record is the truth about a job, a message only a hint.

A worker's calls are in `attempts.py`.
"""

import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import redis
from pydantic import ValidationError

from shared.errors import JobEnded, JobNotFound
from shared.jobs.durations import FIELDS, JobStatistics, durations
from shared.jobs.job import JOB_ID_PATTERN, Job, JobResult, JobStatus
from shared.jobs.steps import Cancellation, Steps, timestamp
from shared.runtime import redis_keys
from shared.runtime.redis_client import if_of_its_type

log = logging.getLogger(__name__)

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

_FIELDS = [*Job.model_fields, "force"]
_LONGEST_FIELD = 200_000
"""Bytes; the longest is the error of a failed run."""


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
        self._left_out: set[str] = set()

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
        )
        return self.get(job_id), job_id == proposed

    def get(self, job_id: str) -> Job:
        """Return a job; raise JobNotFound if the id is unknown or malformed."""
        found = self._read(_checked(job_id))
        if not found:
            raise _unknown(job_id)
        ((_, read),) = found
        if isinstance(read, str):
            raise JobNotFound(f"the record of job {job_id} cannot be read: {read}")
        return read

    def recent(self, limit: int) -> list[Job]:
        """Return the recent jobs, newest first, without those whose record cannot be read."""
        jobs = []
        for job_id, read in self._read(limit=limit):
            if isinstance(read, Job):
                jobs.append(read)
            elif job_id not in self._left_out:
                self._left_out.add(job_id)
                log.error("left out, its record cannot be read: %s", read, extra={"job_id": job_id})
        return jobs

    def _read(self, job_id: str = "", **listed: int) -> list[tuple[str, Job | str]]:
        """Return ids, each with the job, or with what is wrong with its record."""
        answer: list[list[str]] = self._steps.run(
            "read", job_id, redis_keys.JOBS, fields=_FIELDS, longest=_LONGEST_FIELD, **listed
        )
        return [
            (job_id, values[0] if len(values) == 1 else _job_or_fault(values))
            for job_id, *values in answer
        ]

    def changes(self, job_id: str, after: str) -> list[tuple[str, Job]]:
        """Return event ids with the job at each change since the event `after` ("0" for all)."""
        key = redis_keys.events(_checked(job_id))
        entries: Any = if_of_its_type(lambda: self._redis.xrange(key, min=f"({after}"), [])
        jobs = [(event_id, _job_or_fault(record)) for event_id, record in entries]
        return [(event_id, job) for event_id, job in jobs if isinstance(job, Job)]

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
        values: Any = if_of_its_type(
            lambda: self._redis.hmget(redis_keys.JOB_DURATIONS, FIELDS), [None] * len(FIELDS)
        )
        fields = {name: value for name, value in zip(FIELDS, values, strict=True) if value}
        queued = pulse is not None and pulse.status is JobStatus.QUEUED
        return JobStatistics(queued=int(queued), durations=durations(fields))

    def pulse(self) -> Pulse | None:
        """Return the pulse of the active job; None if no job is queued or running."""
        job_id = active_job(self._redis)
        if job_id is None:
            return None
        names = "status", "attempts", "heartbeat"
        fields: Any = if_of_its_type(
            lambda: self._redis.hmget(redis_keys.job(job_id), names), [None] * len(names)
        )
        status, attempt, heartbeat = fields
        # A record without its counters is that of no job: the next one takes its place.
        if status not in (JobStatus.QUEUED, JobStatus.RUNNING) or not (
            _is_count(attempt) and _is_count(heartbeat)
        ):
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


def active_job(client: redis.Redis) -> str | None:
    """Return the id of the job that is queued or running; None if the pointer names none."""
    job_id: Any = if_of_its_type(lambda: client.getrange(redis_keys.ACTIVE_JOB, 0, 40), "")
    return str(job_id) if JOB_ID_PATTERN.fullmatch(job_id) else None


def _is_count(value: str | None) -> bool:
    return value is not None and len(value) < 16 and value.isdecimal()


def _job_or_fault(values: Mapping[str, str] | Sequence[str]) -> Job | str:
    """Return the job of a record, or what is wrong with it."""
    record = values if isinstance(values, Mapping) else dict(zip(_FIELDS, values, strict=True))
    fields: dict[str, Any] = {name: record.get(name) or None for name in Job.model_fields}
    fields["forced"] = record.get("force") == "1"
    try:
        if fields["result"] is not None:
            fields["result"] = JobResult.model_validate_json(fields["result"])
        return Job.model_validate(fields)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)[0]
        return f"{'.'.join(map(str, found['loc']))[:80]}: {found['msg'][:200]}"


def _checked(job_id: str) -> str:
    # The id may come from a client: it never becomes part of a key unless it is well-formed.
    if not JOB_ID_PATTERN.fullmatch(job_id):
        raise _unknown(job_id)
    return job_id


def _unknown(job_id: str) -> JobNotFound:
    return JobNotFound(f"there is no job {job_id[:80]!r}; see GET /jobs for the recent ones")
