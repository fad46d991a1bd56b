"""The application without its background: requests answered from a state that the test makes."""

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import redis
from anyio import CapacityLimiter, Semaphore
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.types import Lifespan

from api.app import create_app
from api.dependencies import State
from api.openapi import OpenApi
from api.serving.batcher import Batcher
from api.serving.replicas import Replicas
from api.serving.served_model import ServedModelHolder
from api.serving.store_calls import StoreCalls
from api.serving.watcher import Watcher
from shared.jobs.queue import JobQueue
from shared.jobs.store import JobStore
from shared.settings import Settings
from shared.versions.onnx_model import OnnxModel
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from shared.versions.version_key import VersionKey
from tests.support.titanic import SCHEMA, served_model
from tests.support.versions import exported_pipeline


class NoRedis:
    """Every call of it fails, as with a Redis that is away."""

    has_redis = True
    redis_answers = False
    store_error = None
    redis_error = "Redis does not answer"

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def fail(*_: object, **__: object) -> Any:
            raise redis.ConnectionError("connection refused by 10.1.2.3")

        return fail


_documents: dict[str, OpenApi] = {}
"""Of the first application with the same settings: to describe routes takes a tenth of a second."""


def state(api: FastAPI, models_dir: Path, *, alike: str | None = None, **changes: Any) -> State:
    """One model served, and Redis away; the routes of applications that are alike are the same."""
    document = OpenApi(api) if alike is None else _documents.setdefault(alike, OpenApi(api))
    holder = ServedModelHolder()
    holder.current = served_model(
        "20260102-030405-abcdef", OnnxModel(exported_pipeline(), SCHEMA), describe=document.of
    )
    sound: dict[str, Any] = {
        "settings": Settings(),
        "holder": holder,
        "watcher": cast(Watcher, NoRedis()),
        "models": ModelStore(LocalStorage(models_dir)),
        "version_key": cast(VersionKey, NoRedis()),
        "jobs": cast(JobStore, NoRedis()),
        "queue": cast(JobQueue, NoRedis()),
        "replicas": cast(Replicas, NoRedis()),
        "predict_limiter": CapacityLimiter(1),
        "metrics_limiter": CapacityLimiter(1),
        "stream_limiter": CapacityLimiter(1),
        "store_calls": StoreCalls(),
        "redis_turns": Semaphore(1),
        "stopping": threading.Event(),
    }
    made = sound | changes
    return cast(State, {"batcher": Batcher(), "openapi": document.routes} | made)


def lifespan_of(models_dir: Path, **changes: Any) -> Lifespan[FastAPI]:
    @asynccontextmanager
    async def lifespan(api: FastAPI) -> AsyncIterator[State]:
        yield state(api, models_dir, **changes)

    return lifespan


Start = Callable[..., TestClient]


@pytest.fixture
def start(models_dir: Path) -> Iterator[Start]:
    """Starts a client of the application, with what is to differ in its state."""
    with ExitStack() as clients:

        def start(**changes: Any) -> TestClient:
            settings = Settings()
            alike = settings.model_dump_json()
            app = create_app(settings, lifespan_of(models_dir, alike=alike, **changes))
            return clients.enter_context(TestClient(app, raise_server_exceptions=False))

        yield start


@pytest.fixture
def client(start: Start) -> TestClient:
    return start()
