"""The Celery task: claims a job, runs it, and reports how it ended."""

import logging
import os
from functools import cache

import redis
from celery import Task

from shared import resources
from shared.errors import DefinitionBroken, LifeboatError, RunCancelled, RunLost, VersionNotFound
from shared.jobs.job import JobResult
from shared.jobs.queue import TASK_NAME
from shared.resources import Resources
from shared.runtime import tracing
from shared.runtime.log_context import about_job, request_id
from shared.schema.schema import Schema
from shared.versions.manifest import Manifest
from shared.versions.pruning import prune
from worker.attempt import Attempt, worker_name
from worker.celery_app import app, settings
from worker.training.served import Served, look
from worker.training_right import TrainingRight

log = logging.getLogger(__name__)


@cache
def _resources() -> Resources:
    """Build the clients and stores of this process at its first job, and keep them for the next.

    Celery's child is spawned: it inherits none from the main process.
    """
    return resources.build(settings)


@app.task(name=TASK_NAME, bind=True)
def train(task: "Task[[str], None]", job_id: str) -> None:
    """Run a job; return at once if it is not queued (any more)."""
    own = _resources()
    worker = worker_name(str(task.request.hostname), os.getppid())
    with about_job(job_id):
        try:
            origin = own.attempts.origin(job_id)
            request_id.set(origin.request_id)
            right = TrainingRight(own.redis, worker)
            if right.is_waiting():
                log.warning("not claimed: a worker of another definition is here; it may take it")
                return
            number = own.attempts.claim(job_id, worker)
        except redis.RedisError as error:
            log.warning("not claimed, the job will be sent again: %s", error)
            return
        if number is None:
            log.info("nothing to do, the job has ended or another worker has it")
            return
        with (
            tracing.span(
                "train",
                kind="consumer",
                traceparent=origin.traceparent or "",
                attributes={"lifeboat.job_id": job_id, "lifeboat.attempt": number},
            ),
            Attempt(own.attempts, job_id, number, settings.job_timeout_seconds) as attempt,
        ):
            run(attempt, own, right)
        tidy(own)


def run(attempt: Attempt, own: Resources, right: TrainingRight) -> None:
    """Carry an attempt out, and note in the job's record how it ended."""
    published: Manifest | None = None
    try:
        # Imported here, because the main process imports this module too and needs no scikit-learn.
        from worker.definition.definition import read
        from worker.training.stages import run_stages

        definition = read(settings.model)
        _check_right(right, definition.schema)
        published = run_stages(
            attempt,
            definition=definition,
            training_data=settings.training_data,
            model_store=own.models,
            served=lambda: _served(own),
            promotion_tolerance=settings.promotion_tolerance,
            most_bytes=settings.training_data_max_bytes,
            timeout_seconds=settings.training_data_timeout_seconds,
            endpoint=settings.store_endpoint,
        )
        attempt.succeed(_result(published))
    except RunCancelled:
        log.info("cancelled")
        if published is not None:
            _take_back(published.model_version, own)
        attempt.cancel()
    except RunLost:
        log.warning("dropped, attempt %d no longer holds the run", attempt.number)
    except LifeboatError as error:
        log.warning("failed: %s", error)
        attempt.fail(str(error))
    except SystemExit as error:
        # It would end this process, and look like a death three times.
        log.exception("failed")
        attempt.fail(f"the model ended its process by SystemExit({error.code!r})")
    except OSError as error:
        log.exception("failed")
        attempt.fail(f"the models volume did not accept the version: {error.strerror or error}")
    except Exception as error:
        log.exception("failed")
        attempt.fail(f"{type(error).__name__}: {error} (the worker's log has the traceback)")


def _check_right(right: TrainingRight, schema: Schema) -> None:
    """Raise DefinitionBroken if another definition is trained here: this worker began just now."""
    try:
        other = right.refusal(schema)
    except redis.RedisError as error:
        log.warning("whether another definition is trained here is not known: %s", error)
        return
    if other:
        raise DefinitionBroken(other)


def _result(published: Manifest) -> JobResult:
    return JobResult(
        outcome=published.gate.outcome,
        reason=published.gate.reason,
        model_version=published.model_version,
        metrics=published.metrics,
    )


def _served(own: Resources) -> Served:
    """Look at what is served; without Redis, at what was last chosen."""
    try:
        return look(own.models, own.version_key.get(), own.version_key.served())
    except redis.RedisError as error:
        log.warning("what is served is taken from the models folder: %s", error)
        return look(own.models, None)


def _take_back(version: str, own: Resources) -> None:
    """Remove the version of a run that was cancelled; if that fails, a later run does it."""
    try:
        own.models.discard(version)
    except (VersionNotFound, OSError) as error:
        log.warning("not removed yet: %s", error, extra={"model_version": version})


def tidy(own: Resources) -> None:
    """Remove old and unwanted versions, and those that a worker was removing when it was killed."""
    try:
        unwanted = own.attempts.unwanted_versions() | own.version_key.removals()
        removed = prune(own.models, settings.keep_versions, unwanted)
    except (redis.RedisError, OSError) as error:
        log.warning("old model versions are kept for now: %s", error)
        return
    if removed:
        log.info("model versions removed: %s", ", ".join(removed))
