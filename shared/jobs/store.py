"""Jobs and their life in Redis: the record is the truth about a job, a message only a hint."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

import redis
from redis.commands.core import Script

from shared.errors import JobEnded, JobNotFound
from shared.jobs import scripts
from shared.jobs.durations import JobStatistics, durations
from shared.jobs.job import JOB_ID_PATTERN, Job, JobResult, JobStatus
from shared.runtime import redis_keys

KEEP_JOBS = 200
"""Records kept; the oldest goes when a new job is made."""

MAX_DEATHS = 3
"""A job whose worker died this often has failed."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asked for a job, and the call: its id, and its span where it was traced (W3C's)."""

    requested_by: str | None = None
    request_id: str | None = None
    traceparent: str | None = None


_NOBODY = Origin()


@dataclass(frozen=True, slots=True)
class Pulse:
    """What tells a watcher whether anybody works on the active job."""

    job_id: str
    status: JobStatus
    attempt: int
    heartbeat: int


class JobStore:
    """Raises redis.RedisError from every method when Redis does not answer.

    redis-py types its answers for both of its decoding modes; ours is always strings, so answers
    are taken as Any and given their type by what a method returns.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._scripts: dict[str, Script] = {}

    def create(self, *, force: bool, origin: Origin = _NOBODY) -> tuple[Job, bool]:
        """The active job, and whether it is a new one.

        `force` holds for a run in flight, too; `origin` for a new one only.
        """
        proposed = secrets.token_hex(16)
        job_id = self._run(
            scripts.CREATE,
            proposed,
            _now(),
            str(int(force)),
            str(KEEP_JOBS),
            redis_keys.JOB_PREFIX,
            redis_keys.EVENTS_PREFIX,
            origin.requested_by or "",
            origin.request_id or "",
            origin.traceparent or "",
            job_id=proposed,
            more_keys=[redis_keys.JOBS],
        )
        return self.get(job_id), job_id == proposed

    def get(self, job_id: str) -> Job:
        """Raises JobNotFound for an id that is unknown or no id at all."""
        record: Any = self._redis.hgetall(redis_keys.job(_checked(job_id)))
        if not record:
            raise _unknown(job_id)
        return _job(record)

    def recent(self, limit: int) -> list[Job]:
        """Newest first."""
        ids: Any = self._redis.lrange(redis_keys.JOBS, 0, limit - 1)
        pipeline = self._redis.pipeline(transaction=False)
        for job_id in ids:
            pipeline.hgetall(redis_keys.job(job_id))
        return [_job(record) for record in pipeline.execute() if record]

    def statistics(self) -> JobStatistics:
        pulse = self.pulse()
        fields: Any = self._redis.hgetall(redis_keys.JOB_DURATIONS)
        queued = pulse is not None and pulse.status is JobStatus.QUEUED
        return JobStatistics(queued=int(queued), durations=durations(fields))

    def changes(self, job_id: str, after: str) -> list[tuple[str, Job]]:
        """The job at each change since the event id `after` ("0" for all), with their ids."""
        entries: Any = self._redis.xrange(redis_keys.events(_checked(job_id)), min=f"({after}")
        return [(event_id, _job(record)) for event_id, record in entries]

    def cancel(self, job_id: str) -> Job:
        """Ends a queued job, asks a running one to stop.

        Raises:
            JobNotFound: there is no such job.
            JobEnded: it has ended already.
        """
        answer = self._run(scripts.CANCEL, _now(), _call(), job_id=_checked(job_id))
        if answer == -1:
            raise _unknown(job_id)
        job = self.get(job_id)
        if answer == 0:
            raise JobEnded(f"job {job_id} has already ended: it {_ENDINGS[job.status]}")
        return job

    # --- what a worker does (see also `run.Run`) -----------------------------------------------

    def origin(self, job_id: str) -> Origin:
        """Of a job that may be unknown: then of nobody."""
        names = [field.name for field in fields(Origin)]
        record: Any = self._redis.hmget(redis_keys.job(job_id), names)
        return Origin(*(value or None for value in record))

    def claim(self, job_id: str, worker: str) -> int | None:
        """Takes a queued job up; the number of the attempt, or None if there is nothing to do."""
        attempt: int = self._run(scripts.CLAIM, worker, _now(), _call(), job_id=job_id)
        return attempt or None

    def beat(self, job_id: str, attempt: int) -> int:
        """LOST, HELD or CANCEL_ASKED."""
        answer: int = self._run(scripts.BEAT, str(attempt), job_id=job_id)
        return answer

    def report(self, job_id: str, attempt: int, stage: str, progress: float) -> int:
        """LOST, HELD or CANCEL_ASKED."""
        answer: int = self._run(
            scripts.REPORT, str(attempt), stage, f"{progress:.4f}", job_id=job_id
        )
        return answer

    def unwanted_versions(self) -> set[str]:
        """Names chosen by recent jobs that have failed or were cancelled.

        An attempt that died after it had published one could not take it back.
        """
        ids: Any = self._redis.lrange(redis_keys.JOBS, 0, -1)
        pipeline = self._redis.pipeline(transaction=False)
        for job_id in ids:
            pipeline.hmget(redis_keys.job(job_id), "status", "model_version")
        return {
            version
            for status, version in pipeline.execute()
            if version and status in (JobStatus.FAILED, JobStatus.CANCELLED)
        }

    def choose_version(self, job_id: str, attempt: int, proposed: str) -> str:
        """The version name of this job, chosen by its first attempt; "" if the run is lost."""
        name: str = self._run(scripts.CHOOSE_VERSION, str(attempt), proposed, job_id=job_id)
        return name

    def is_forced(self, job_id: str) -> bool:
        return bool(self._redis.hget(redis_keys.job(job_id), "force") == "1")

    def succeed(self, job_id: str, attempt: int, result: JobResult) -> int:
        """LOST, HELD, CANCEL_ASKED or FORCE_ASKED; only HELD means that it is done."""
        answer: int = self._run(
            scripts.SUCCEED,
            str(attempt),
            _now(),
            result.model_dump_json(),
            result.model_version if result.outcome == "promoted" else "",
            job_id=job_id,
            more_keys=[redis_keys.VERSION],
        )
        return answer

    def end(self, job_id: str, attempt: int, status: JobStatus, error: str) -> None:
        self._run(scripts.END, str(attempt), _now(), status, error, job_id=job_id)

    def release(self, worker: str) -> str | None:
        """Hands the run of a worker that is being stopped back to the queue; the job's id if so."""
        job_id: Any = self._redis.get(redis_keys.ACTIVE_JOB)
        if job_id is None:
            return None
        released = self._run(scripts.RELEASE, worker, _now(), job_id=job_id)
        return job_id if released else None

    # --- what a watcher does (see `job_watch`) -------------------------------------------------

    def pulse(self) -> Pulse | None:
        job_id: Any = self._redis.get(redis_keys.ACTIVE_JOB)
        if job_id is None:
            return None
        fields: Any = self._redis.hmget(redis_keys.job(job_id), "status", "attempts", "heartbeat")
        status, attempt, heartbeat = fields
        if status not in (JobStatus.QUEUED, JobStatus.RUNNING):
            return None
        return Pulse(job_id, JobStatus(status), int(attempt), int(heartbeat))

    def bury(self, pulse: Pulse) -> JobStatus | None:
        """Counts a death. The job's new status, or None if it was alive after all."""
        status = self._run(
            scripts.BURY,
            str(pulse.attempt),
            str(pulse.heartbeat),
            _now(),
            str(MAX_DEATHS),
            f"the worker died {MAX_DEATHS} times while running this job; its log says why. The "
            "usual cause is too little memory for the training data",
            job_id=pulse.job_id,
        )
        return JobStatus(status) if status else None

    # -------------------------------------------------------------------------------------------

    def _run(self, script: str, *args: str, job_id: str, more_keys: list[str] | None = None) -> Any:
        if script not in self._scripts:
            self._scripts[script] = self._redis.register_script(script)
        keys = [redis_keys.job(job_id), redis_keys.events(job_id), redis_keys.ACTIVE_JOB]
        keys += [*(more_keys or []), redis_keys.JOB_DURATIONS]
        return self._scripts[script](keys=keys, args=args)


_ENDINGS = {
    JobStatus.SUCCEEDED: "succeeded",
    JobStatus.FAILED: "failed",
    JobStatus.CANCELLED: "was cancelled",
}


def _job(record: Mapping[str, str]) -> Job:
    fields: dict[str, Any] = {name: record.get(name) or None for name in Job.model_fields}
    fields["forced"] = record.get("force") == "1"
    if fields["result"] is not None:
        fields["result"] = JobResult.model_validate_json(fields["result"])
    return Job.model_validate(fields)


def _checked(job_id: str) -> str:
    # The id may come from a client: it never becomes a key unless it matches.
    if not JOB_ID_PATTERN.fullmatch(job_id):
        raise _unknown(job_id)
    return job_id


def _unknown(job_id: str) -> JobNotFound:
    return JobNotFound(f"there is no job {job_id[:80]!r}; see GET /jobs for the recent ones")


def _call() -> str:
    return secrets.token_hex(8)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
