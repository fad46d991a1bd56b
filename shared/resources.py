"""The clients and stores of a process, built from its settings once."""

from dataclasses import dataclass
from pathlib import Path

import redis

from shared import bucket
from shared.bucket import BucketUrl
from shared.errors import ServesOnly
from shared.jobs.attempts import AttemptStore
from shared.jobs.queue import JobQueue, broker
from shared.jobs.store import JobStore
from shared.runtime.redis_client import connect
from shared.settings import Settings
from shared.versions.following import NoteFollower
from shared.versions.storage.base import Storage
from shared.versions.storage.bucket import BucketStorage
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore, Removal, unguarded
from shared.versions.version_key import VersionKey


@dataclass(frozen=True, slots=True)
class Resources:
    """What a process keeps for as long as it lives; nothing is connected before its first use."""

    redis: redis.Redis
    jobs: JobStore
    attempts: AttemptStore
    queue: JobQueue
    version_key: VersionKey
    models: ModelStore
    models_place: str
    """Where the models lie, to be told apart from other places."""

    def close(self) -> None:
        self.queue.close()
        self.redis.close()


def build(settings: Settings) -> Resources:
    """Build the clients and stores of this process.

    Raises:
        UnreadableFile: the file of the Redis password cannot be read.
        ServesOnly: there is no Redis; `serving` builds what such a process has.
    """
    if settings.serves_only:
        raise ServesOnly(
            "LIFEBOAT_REDIS_URL is none, so this process can only serve; name a Redis server"
        )
    server = settings.redis_server()
    client = connect(server)
    version_key = VersionKey(client)
    return Resources(
        redis=client,
        jobs=JobStore(client),
        attempts=AttemptStore(client),
        queue=JobQueue(broker(server), client),
        version_key=version_key,
        models=model_store(settings, removal=version_key.removal),
        models_place=settings.models_place,
    )


def storage(settings: Settings) -> Storage:
    """Build the storage in which the bytes of the model versions lie; nothing is asked for yet."""
    url = settings.bucket_url
    return LocalStorage(settings.models_dir) if url is None else bucket_storage(settings, url)


def bucket_storage(settings: Settings, url: BucketUrl) -> BucketStorage:
    """Build the storage of a bucket, with the time-outs and the endpoint of the settings."""
    return BucketStorage(
        str(url),
        bucket.client(url, settings.store_endpoint, settings.store_timeout_seconds),
        bucket.client(url, settings.store_endpoint, settings.store_load_timeout_seconds),
    )


def local_store(settings: Settings, folder: Path) -> ModelStore:
    """Build a store in a folder that the settings do not name, such as a temporary one."""
    return model_store(settings, LocalStorage(folder))


def note_follower(settings: Settings) -> NoteFollower:
    """Build what an API process without Redis follows."""
    return NoteFollower(storage(settings), settings.store_poll_seconds)


def model_store(
    settings: Settings,
    over: Storage | None = None,
    removal: Removal = unguarded,
    *,
    is_locked: bool = True,
) -> ModelStore:
    """Build the store of model versions; without `removal` for a program that removes none.

    `over` is another storage than that of the settings. `is_locked` is False for a program that
    publishes without the run lock of a Redis.
    """
    return ModelStore(
        over or storage(settings),
        settings.signing_key,
        settings.old_signing_keys,
        removal,
        is_locked,
    )
