"""A run beside Redis: a job as any other, which this process runs itself instead of a worker."""

import os
import socket

from shared.errors import TrainingFailed, VersionNotFound, VersionNotServable
from shared.jobs.job import Job
from shared.jobs.store import Origin
from shared.resources import Resources
from shared.versions.manifest import Manifest
from shared.versions.version_key import Choice
from worker.attempt import Attempt, worker_name
from worker.publish.outside import compared
from worker.tasks import run, tidy
from worker.training_right import TrainingRight

_ORIGIN = "worker.publish"
_LOOKS = 20
"""How often the version is looked at while others are being removed."""


class Beside:
    """Trains and publishes under the run lock, and chooses by the version key."""

    def __init__(self, resources: Resources, forced: bool, timeout_seconds: float) -> None:
        self._own = resources
        self._forced = forced
        self._timeout_seconds = timeout_seconds
        self.before: str | None = None
        """The version that the key named before the run."""

    def train(self) -> Manifest:
        """Train, publish and choose; return the manifest.

        Raises:
            TrainingFailed: the run failed, was cancelled, or another one is queued or running.
            redis.RedisError: Redis does not answer.
        """
        own = self._own
        self.before = own.version_key.get()
        job, is_new = own.jobs.create(force=self._forced, origin=Origin(_ORIGIN))
        if not is_new:
            raise TrainingFailed(
                f"job {job.job_id} is {job.status} on this Redis, and only one run goes on at a "
                "time; wait for its end, or cancel it"
            )
        worker = worker_name(f"publish@{socket.gethostname()}", os.getpid())
        number = own.attempts.claim(job.job_id, worker)
        if number is None:
            raise TrainingFailed(f"job {job.job_id} was taken up by a worker; see GET /jobs")
        with Attempt(own.attempts, job.job_id, number, self._timeout_seconds) as attempt:
            run(attempt, own, TrainingRight(own.redis, worker))
        return self._published(own.jobs.get(job.job_id))

    def _published(self, job: Job) -> Manifest:
        if job.result is None:
            raise TrainingFailed(job.error or f"the run ended as {job.status}")
        manifest = self._own.models.manifest(job.result.model_version)
        # Force may have been asked for at the very end.
        gate = {"outcome": job.result.outcome, "reason": job.result.reason}
        return manifest.model_copy(update={"gate": manifest.gate.model_copy(update=gate)})

    def compared_with(self, manifest: Manifest) -> Manifest | None:
        """Return the manifest that the gate compared this one with, if it is still there."""
        return compared(self._own.models, manifest)

    def prune(self) -> None:
        """Remove old versions, as a worker does after each run."""
        tidy(self._own)

    def put_back(self, manifest: Manifest) -> str:
        """Choose again what was chosen before; say in a sentence what became of it."""
        before = manifest.gate.compared_with or self.before
        if before is None:
            return "there was no version before it, so it stays chosen"
        try:
            for _ in range(_LOOKS):
                found = self._own.version_key.carry(
                    before, manifest.model_version, self._own.models.load
                )
                if found is not Choice.LOOK_AGAIN:
                    break
        except (VersionNotFound, VersionNotServable) as error:
            return f"it stays chosen, because of what was chosen before: {error}"
        if found is Choice.CHOSEN:
            return f"{before} is chosen again"
        if found is Choice.NAMED_ALREADY:
            return "somebody has chosen another version meanwhile, which stays chosen"
        return f"it stays chosen, because {before} is being removed"
