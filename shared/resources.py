"""The clients and stores of a process, built from its settings once."""

from dataclasses import dataclass

import redis
from celery import Celery

from shared.jobs.attempts import AttemptStore
from shared.jobs.queue import JobQueue, celery_application
from shared.jobs.store import JobStore
from shared.runtime.redis_client import connect
from shared.settings import Settings
from shared.versions.storage.base import Storage
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore, Removal, unguarded
from shared.versions.version_key import VersionKey


@dataclass(frozen=True, slots=True)
class Resources:
    """What a process keeps for as long as it lives; nothing is connected before its first use."""

    redis: redis.Redis
    celery: Celery
    """Sends messages; the application that receives them is the worker's."""
    jobs: JobStore
    attempts: AttemptStore
    queue: JobQueue
    version_key: VersionKey
    models: ModelStore

    def close(self) -> None:
        self.celery.close()
        self.redis.close()


def build(settings: Settings) -> Resources:
    """Build the clients and stores of this process.

    Raises:
        UnreadableFile: the file of the Redis password cannot be read.
    """
    server = settings.redis_server()
    client = connect(server)
    celery = celery_application(server)
    version_key = VersionKey(client)
    return Resources(
        redis=client,
        celery=celery,
        jobs=JobStore(client),
        attempts=AttemptStore(client),
        queue=JobQueue(celery, client),
        version_key=version_key,
        models=model_store(settings, removal=version_key.removal),
    )


def storage(settings: Settings) -> Storage:
    """Build the storage in which the bytes of the model versions lie."""
    return LocalStorage(settings.models_dir)


def model_store(
    settings: Settings, over: Storage | None = None, removal: Removal = unguarded
) -> ModelStore:
    """Build the store of model versions; without `removal` for a program that removes none.

    `over` is another storage than that of the settings.
    """
    return ModelStore(
        over or storage(settings), settings.signing_key, settings.old_signing_keys, removal
    )
