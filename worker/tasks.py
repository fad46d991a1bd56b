"""The Celery task: claims a job, runs the pipeline, reports how it ended."""

import logging
import os
from contextlib import suppress

import redis
from celery import Task

from shared.errors import LifeboatError, RunCancelled, RunLost, VersionNotFound
from shared.jobs.job import JobResult
from shared.jobs.queue import TASK_NAME
from shared.jobs.store import JobStore
from shared.runtime import tracing
from shared.runtime.log_context import about_job, request_id
from shared.runtime.redis_client import connect
from shared.versions.manifest import Manifest
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from shared.versions.version_key import VersionKey
from worker.attempt import JobRun
from worker.celery_app import app, settings
from worker.duties import worker_name

log = logging.getLogger(__name__)


@app.task(name=TASK_NAME, bind=True)
def train(task: "Task[[str], None]", job_id: str) -> None:
    """Looks at a job; returns at once if it is not queued (any more)."""
    client = connect(settings.redis_url_with_password())
    jobs, version_key = JobStore(client), VersionKey(client)
    models = ModelStore(LocalStorage(settings.models_dir), settings.signing_key)
    worker = worker_name(str(task.request.hostname), os.getppid())
    with about_job(job_id):
        try:
            origin = jobs.origin(job_id)
            request_id.set(origin.request_id)
            attempt = jobs.claim(job_id, worker)
        except redis.RedisError as error:
            log.warning("not claimed, it will be sent again: %s", error)
            return
        if attempt is None:
            log.info("nothing to do, it has ended or another worker has it")
            return
        with (
            tracing.span(
                "train",
                kind="consumer",
                traceparent=origin.traceparent or "",
                attributes={"lifeboat.job_id": job_id, "lifeboat.attempt": attempt},
            ),
            JobRun(jobs, job_id, attempt, settings.job_timeout_seconds) as run,
        ):
            _execute(run, models, version_key)
        _prune(models, version_key, jobs)


def _execute(run: JobRun, models: ModelStore, version_key: VersionKey) -> None:
    # Here, because the main process imports this module too and needs no scikit-learn.
    from worker.training.stages import run_stages

    published: Manifest | None = None
    try:
        published = run_stages(
            run,
            training_data=settings.training_data,
            model_store=models,
            served_version=lambda: _served_version(models, version_key),
            promotion_tolerance=settings.promotion_tolerance,
        )
        run.succeed(_result(published))
    except RunCancelled:
        log.info("cancelled")
        if published is not None:
            models.discard(published.model_version)
        run.cancel()
    except RunLost:
        log.warning("dropped, attempt %d no longer holds it", run.attempt)
    except LifeboatError as error:
        log.warning("failed: %s", error)
        run.fail(str(error))
    except OSError as error:
        log.exception("failed")
        run.fail(f"the models volume does not take the version: {error.strerror or error}")
    except Exception as error:
        log.exception("failed")
        run.fail(f"{type(error).__name__}: {error} (the worker's log has the traceback)")


def _result(published: Manifest) -> JobResult:
    return JobResult(
        outcome=published.gate.outcome,
        reason=published.gate.reason,
        model_version=published.model_version,
        metrics=published.metrics,
    )


def _served_version(models: ModelStore, version_key: VersionKey) -> str | None:
    """What the API serves: a key that names nothing servable has changed nothing there."""
    try:
        version = version_key.get()
        if version is not None:
            models.load(version)
            return version
    except (redis.RedisError, LifeboatError):
        pass
    return models.current()


def _prune(models: ModelStore, version_key: VersionKey, jobs: JobStore) -> None:
    """Removes old and unwanted versions; none unless Redis says which one is served."""

    def served() -> set[str]:
        return {name for name in (version_key.get(), models.current()) if name}

    try:
        removed = models.prune(settings.keep_versions, served)
        for version in jobs.unwanted_versions() - served():
            with suppress(VersionNotFound):
                models.discard(version)
                removed.append(version)
    except (redis.RedisError, OSError) as error:
        log.warning("old model versions stay for now: %s", error)
        return
    if removed:
        log.info("model versions removed: %s", ", ".join(removed))
