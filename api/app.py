"""The HTTP service: `create_app` puts routes and resources together."""

import gc
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import CapacityLimiter, Semaphore, to_thread
from fastapi import FastAPI
from starlette.types import ASGIApp, Lifespan

from api.dependencies import State
from api.http import errors
from api.http.fast_path import FastPath
from api.http.intake import Intake
from api.http.stopping import stop_flag
from api.http.traced import Traced
from api.routes import docs, health, jobs, models, page, predict, processes
from api.serving.batcher import Batcher
from api.serving.predictor import ServedModelHolder
from api.serving.replicas import ProcessList
from api.serving.watcher import Watcher
from api.telemetry import counting
from api.v2 import routes as v2
from shared.jobs.queue import JobQueue, celery_application
from shared.jobs.store import JobStore
from shared.jobs.watch import JobWatch
from shared.runtime import tracing
from shared.runtime.background import Background
from shared.runtime.log import log_uncaught
from shared.runtime.redis_client import connect
from shared.settings import Settings, read_settings
from shared.versions.store import ModelStore
from shared.versions.version_key import VersionKey

_FIRST_LOOK_SECONDS = 5.0
_PREDICT_THREADS = 1
"""Large requests at once, per process: more would only take turns, and hold up the small ones."""
_STREAM_THREADS = 4
"""Event streams that ask Redis at once, per process. While it is frozen each holds its thread for
the whole time-out; 150 of them on everybody's threads made GET /jobs wait for 3.6 s."""
_REDIS_TURNS = 30
"""Other calls that ask Redis at once, per process: fewer than the 40 threads that FastAPI has for
all handlers, so that one that has its turn never waits for a thread."""
_SWITCH_SECONDS = 0.0005
"""Longest wait of the event loop for a thread that computes; Python's own is 5 ms. With a client
that sends 10,000 rows without a pause, it halves the median for everybody else."""


def start_app() -> ASGIApp:
    """The application of a process of its own, which tells by its log why it cannot start.

    The parent prints what a child raises, in no shape of ours.
    """
    log_uncaught()
    return create_app(read_settings())


def create_app(settings: Settings, lifespan: Lifespan[FastAPI] | None = None) -> ASGIApp:
    """The ASGI application; nothing is opened before its lifespan starts.

    `lifespan` gives the handlers their state; a test that has its own passes it.
    """
    api = FastAPI(
        title="Lifeboat",
        description="Trains, serves and hot-swaps a scikit-learn model without dropping a request.",
        version="0.1.0",
        lifespan=lifespan or _lifespan(settings),
        exception_handlers=errors.HANDLERS,
        # The address of such a redirect would be whatever the request named as its host.
        redirect_slashes=False,
        # FastAPI's pages load their scripts from another host; ours is in api/routes/docs.py.
        docs_url=None,
        redoc_url=None,
    )
    for routes in (predict, v2, jobs, models, processes, health, page, docs):
        api.include_router(routes.router)
    api.mount("/page", page.files)
    api.mount("/docs", docs.files)
    fast = [*predict.router.routes, *v2.short_way.routes]
    app = FastPath(api, fast, Intake(settings.max_body_bytes))
    return Traced(app) if tracing.is_wanted() else app


def _lifespan(settings: Settings) -> Lifespan[FastAPI]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[State]:
        tracing.start("lifeboat-api")
        url = settings.redis_url_with_password()
        client = connect(url)
        celery = celery_application(url)
        version_key, holder = VersionKey(client), ServedModelHolder()
        store = ModelStore(settings.models_dir, settings.signing_key)
        process_list = ProcessList(client)
        watcher = Watcher(version_key, store, holder, process_list)
        job_store, queue = JobStore(client), JobQueue(celery, client)
        job_watch = JobWatch(job_store, queue)
        background = Background(watcher.watch, job_watch.watch, counting.keep_flushing)
        background.start()
        try:
            with stop_flag() as stopping:
                # So that a restart takes no request before it can answer it.
                await to_thread.run_sync(watcher.wait_for_first_look, _FIRST_LOOK_SECONDS)
                sys.setswitchinterval(_SWITCH_SECONDS)
                # What lives as long as the process: else each full collection, of which a request
                # of 10,000 rows sets off several, looks at all the modules that are loaded.
                gc.collect()
                gc.freeze()
                yield State(
                    settings=settings,
                    holder=holder,
                    watcher=watcher,
                    models=store,
                    version_key=version_key,
                    jobs=job_store,
                    queue=queue,
                    processes=process_list,
                    batcher=Batcher(holder),
                    predict_limiter=CapacityLimiter(_PREDICT_THREADS),
                    metrics_limiter=CapacityLimiter(1),
                    stream_limiter=CapacityLimiter(_STREAM_THREADS),
                    redis_turns=Semaphore(_REDIS_TURNS),
                    stopping=stopping,
                )
        finally:
            await to_thread.run_sync(background.stop)
            counting.flush()
            await to_thread.run_sync(tracing.stop)
            celery.close()
            client.close()

    return lifespan
