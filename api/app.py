"""The HTTP service: `create_app` puts routes, resources and error answers together."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import redis
from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Lifespan

from api.batcher import Batcher
from api.dependencies import State
from api.fast_path import FastPath
from api.predictor import MAX_ERRORS, ServedModelHolder, shortened
from api.routes import health, models, pipeline, predict
from api.stopping import stop_flag
from api.watcher import Watcher
from shared.background import Background
from shared.errors import LifeboatError
from shared.job_queue import JobQueue, celery_application
from shared.job_store import JobStore
from shared.job_watch import JobWatch
from shared.model_store import ModelStore
from shared.redis_client import connect
from shared.settings import Settings
from shared.version_key import VersionKey

_FIRST_LOOK_SECONDS = 5.0
_PREDICT_THREADS = 2

log = logging.getLogger(__name__)


def create_app(
    settings: Settings | None = None, lifespan: Lifespan[FastAPI] | None = None
) -> ASGIApp:
    """The ASGI application; nothing is opened before its lifespan starts.

    `lifespan` gives the handlers their state; a test that has its own passes it.
    """
    settings = settings or Settings()
    api = FastAPI(
        title="Lifeboat",
        description="Trains, serves and hot-swaps a scikit-learn model without dropping a request.",
        version="0.1.0",
        lifespan=lifespan or _lifespan(settings),
    )
    api.add_exception_handler(LifeboatError, _answer_error)
    api.add_exception_handler(redis.RedisError, _answer_redis_error)
    api.add_exception_handler(ClientDisconnect, _answer_nobody)
    api.add_exception_handler(RequestValidationError, _answer_invalid_request)
    for routes in (predict, pipeline, models, health):
        api.include_router(routes.router)
    return FastPath(api, predict.router.routes)


def _lifespan(settings: Settings) -> Lifespan[FastAPI]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[State]:
        url = settings.redis_url_with_password()
        client = connect(url)
        celery = celery_application(url)
        version_key, store = VersionKey(client), ModelStore(settings.models_dir)
        holder = ServedModelHolder()
        watcher = Watcher(version_key, store, holder)
        jobs, queue = JobStore(client), JobQueue(celery, client)
        background = Background(watcher.watch, JobWatch(jobs, queue).watch)
        background.start()
        try:
            with stop_flag() as stopping:
                # So that a restart takes no request before it can answer it.
                await to_thread.run_sync(watcher.wait_for_first_look, _FIRST_LOOK_SECONDS)
                yield State(
                    settings=settings,
                    holder=holder,
                    watcher=watcher,
                    models=store,
                    version_key=version_key,
                    jobs=jobs,
                    queue=queue,
                    batcher=Batcher(holder),
                    predict_limiter=CapacityLimiter(_PREDICT_THREADS),
                    stopping=stopping,
                )
        finally:
            await to_thread.run_sync(background.stop)
            celery.close()
            client.close()

    return lifespan


async def _answer_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, LifeboatError)
    return _error(error.status_code, str(error))


async def _answer_redis_error(_: Request, error: Exception) -> JSONResponse:
    log.warning("a call failed because Redis did not answer: %s", error)
    return _error(
        503,
        "Redis does not answer, so jobs and the choice of the model version are out of reach; "
        "predictions go on. Try again in a moment",
    )


async def _answer_invalid_request(_: Request, error: Exception) -> JSONResponse:
    """As FastAPI does, without the input: that may be NaN, which no JSON answer can hold."""
    assert isinstance(error, RequestValidationError)
    detail = [
        {"loc": shortened(found["loc"]), "msg": found["msg"], "type": found["type"]}
        for found in error.errors()[:MAX_ERRORS]
    ]
    return JSONResponse({"detail": detail}, 422)


async def _answer_nobody(_: Request, error: Exception) -> Response:
    """The client left before its request was whole; 499 is nginx's status for that."""
    return Response(status_code=499)


def _error(status: int, detail: str) -> JSONResponse:
    headers = {"Retry-After": str(health.RETRY_AFTER_SECONDS)} if status == 503 else None
    return JSONResponse({"detail": detail}, status, headers)
