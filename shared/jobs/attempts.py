"""What a worker does with jobs in Redis: from the claim of a queued job to the end of its run."""

from dataclasses import fields
from typing import Any

import redis

from shared.jobs.job import JobResult, JobStatus
from shared.jobs.steps import Hold, Steps
from shared.jobs.store import Origin, active_job
from shared.runtime import redis_keys
from shared.runtime.redis_client import if_of_its_type

_CAME_TO_NOTHING = JobStatus.FAILED, JobStatus.CANCELLED


class AttemptStore:
    """The attempts of workers, in the same records as `JobStore` reads.

    A method that takes an attempt's number changes nothing unless that attempt still holds the run.
    Every method raises redis.RedisError when Redis does not answer.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client
        self._steps = Steps(client)

    def origin(self, job_id: str) -> Origin:
        """Return the job's origin; empty if the job is unknown."""
        names = [field.name for field in fields(Origin)]
        record: Any = self._redis.hmget(redis_keys.job(job_id), names)
        return Origin(*(value or None for value in record))

    def claim(self, job_id: str, worker: str) -> int | None:
        """Take a queued job up; return the attempt's number, or None if there is nothing to do."""
        attempt: int | None = self._steps.run("claim", job_id, worker=worker)
        return attempt

    def beat(self, job_id: str, attempt: int) -> Hold:
        """Move the heartbeat; return LOST, HELD or CANCEL_ASKED."""
        return Hold(self._steps.run("beat", job_id, attempt=attempt))

    def report(self, job_id: str, attempt: int, stage: str, progress: float) -> Hold:
        """Note stage and progress; return LOST, HELD or CANCEL_ASKED."""
        answer = self._steps.run(
            "report", job_id, attempt=attempt, stage=stage, progress=f"{progress:.4f}"
        )
        return Hold(answer)

    def choose_version(self, job_id: str, attempt: int, proposed: str) -> str | None:
        """Return the version name that the job's first attempt chose; None if the run is lost."""
        name: str | None = self._steps.run(
            "choose_version", job_id, attempt=attempt, proposed=proposed
        )
        return name

    def is_forced(self, job_id: str) -> bool:
        """Return whether somebody asked to promote the job's version whatever the gate decides."""
        return bool(self._redis.hget(redis_keys.job(job_id), "force") == "1")

    def succeed(self, job_id: str, attempt: int, result: JobResult) -> Hold:
        """End the job and, if its version was promoted, set the version key, all in one step.

        Returns any `Hold`; only HELD means that it is done.
        """
        answer = self._steps.run(
            "succeed",
            job_id,
            redis_keys.VERSION,
            attempt=attempt,
            result=result.model_dump_json(),
            serve=result.model_version if result.outcome == "promoted" else "",
        )
        return Hold(answer)

    def end(self, job_id: str, attempt: int, status: JobStatus, error: str) -> Hold:
        """End a job without a version; return LOST or HELD."""
        return Hold(self._steps.run("end", job_id, attempt=attempt, status=status, error=error))

    def release(self, worker: str) -> str | None:
        """Hand the run of a worker that is being stopped back to the queue.

        Returns the job's id if it is queued again.
        """
        job_id = active_job(self._redis)
        if job_id is None or not self._steps.run("release", job_id, worker=worker):
            return None
        return job_id

    def unwanted_versions(self) -> set[str]:
        """Return the version names that recent jobs chose before they failed or were cancelled.

        An attempt that died after it had published its version could not take it back.
        """
        ids: Any = if_of_its_type(lambda: self._redis.lrange(redis_keys.JOBS, 0, -1), [])
        pipeline = self._redis.pipeline(transaction=False)
        for job_id in ids:
            pipeline.hmget(redis_keys.job(job_id), "status", "model_version")
        found: Any = pipeline.execute(raise_on_error=False)
        return {
            record[1]
            for record in found
            # A record of another type answers with an error.
            if isinstance(record, list) and record[1] and record[0] in _CAME_TO_NOTHING
        }
