"""The HTTP service: `create_app` puts routes and resources together."""

import gc
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import CapacityLimiter, Semaphore, to_thread
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Lifespan

from api import limits
from api.dependencies import State
from api.http import errors
from api.http.entrance import leaves_alone, with_entrance
from api.http.fast_path import FastPath
from api.http.intake import Intake
from api.http.key import ApiKeyRequired, KeyCheck
from api.http.stopping import stop_flag
from api.openapi import OpenApi
from api.routes import docs, health, jobs, models, openapi, page, predict, processes
from api.schemas.documented import KEY_NEEDED, KEY_NEEDED_V2, Responses
from api.serving.batcher import Batcher
from api.serving.replicas import Replicas
from api.serving.served_model import ServedModelHolder
from api.serving.store_calls import StoreCalls
from api.serving.succession import wait_until_fit
from api.serving.watcher import Watcher
from api.short_cut.head import Heads
from api.short_cut.short_cut import ShortCut
from api.telemetry import metrics, process_files
from api.v2 import routes as v2
from shared import __version__, resources
from shared.jobs.watch import JobWatch
from shared.refusal import read_settings
from shared.runtime import tracing
from shared.runtime.background import Background
from shared.runtime.log import log_uncaught
from shared.settings import Settings

_ROUTERS: list[tuple[APIRouter, Responses | None]] = [
    (predict.router, KEY_NEEDED),
    (v2.router, KEY_NEEDED_V2),
    (v2.predicting, KEY_NEEDED_V2),
    (v2.health, None),
    (jobs.router, KEY_NEEDED),
    (models.router, KEY_NEEDED),
    (processes.router, KEY_NEEDED),
    (health.router, None),
    (page.router, None),
    (openapi.router, None),
    (docs.router, None),
]
"""Each router, and how it refuses if everything needs the key; None if it stays open."""


def start_app() -> ASGIApp:
    """Return the application of a process of its own, whose log says why it cannot start.

    Without it the parent would print what a child raises, in a shape of its own.
    """
    log_uncaught()
    return create_app(read_settings())


def create_app(settings: Settings, lifespan: Lifespan[FastAPI] | None = None) -> ASGIApp:
    """Return the ASGI application; it opens nothing before its lifespan starts.

    `lifespan` gives the handlers their state; a test passes its own.
    """
    everything = settings.api_key_for == "everything"
    key = KeyCheck(settings.api_keys, for_everything=everything)
    intake = Intake(settings.max_body_bytes)
    fast = [*predict.router.routes, *v2.short_way.routes]
    paths = [route.path for route in fast if isinstance(route, APIRoute)]
    heads = Heads(paths, key, leaves_alone(settings))
    api = FastAPI(
        title="Lifeboat",
        description="Trains, serves and hot-swaps a scikit-learn model without dropping a request.",
        version=__version__,
        lifespan=lifespan or _lifespan(settings, intake, heads),
        exception_handlers=errors.HANDLERS,
        # Such a redirect would lead to the host that the request names, whatever that is.
        redirect_slashes=False,
        # FastAPI's pages load their scripts from another host; ours is in api/routes/docs.py.
        docs_url=None,
        redoc_url=None,
        # The served version has a part in the document: see `api/routes/openapi.py`.
        openapi_url=None,
        servers=[{"url": settings.root_path}] if settings.root_path else None,
    )
    for router, refusals in _ROUTERS:
        is_open = not everything or refusals is None
        api.include_router(
            router,
            dependencies=[] if is_open else [ApiKeyRequired],
            responses={} if is_open else refusals,
        )
    api.mount("/page", page.files)
    api.mount("/docs", docs.files)
    predicting = [*predict.router.routes, *v2.predicting.routes]
    app = FastPath(api, fast, intake, key, predicting)
    return with_entrance(app, settings)


def _lifespan(settings: Settings, intake: Intake, heads: Heads) -> Lifespan[FastAPI]:
    @asynccontextmanager
    async def lifespan(api: FastAPI) -> AsyncIterator[State]:
        tracing.start("lifeboat-api")
        process_files.tidy()
        own = None if settings.serves_only else resources.build(settings)
        models = resources.model_store(settings) if own is None else own.models
        holder, batcher = ServedModelHolder(), Batcher()
        short_cut = ShortCut(heads, holder, batcher, intake, settings.max_rows)
        # A span is opened and closed in a context of its own, which a task is.
        is_off = settings.short_cut == "off" or tracing.is_on()
        replicas = Replicas(own.redis) if own else None
        document = OpenApi(api)
        signal = own.version_key if own else resources.note_follower(settings)
        watcher = Watcher(signal, models, holder, replicas, document.of)
        watches = [JobWatch(own.jobs, own.queue).watch] if own else []
        background = Background(watcher.watch, *watches, metrics.keep_saving)
        background.start()
        try:
            with stop_flag() as stopping:
                # A process that starts takes no request before it can answer it.
                await to_thread.run_sync(watcher.wait_for_first_look, limits.FIRST_LOOK_SECONDS)
                await to_thread.run_sync(wait_until_fit, watcher, stopping)
                sys.setswitchinterval(limits.SWITCH_SECONDS)
                # All that is loaded lives as long as the process. Without this, each full
                # collection would look at it, and a request of 10,000 rows sets off several.
                gc.collect()
                gc.freeze()
                yield State(
                    settings=settings,
                    openapi=document.routes,
                    holder=holder,
                    watcher=watcher,
                    models=models,
                    version_key=own.version_key if own else None,
                    jobs=own.jobs if own else None,
                    queue=own.queue if own else None,
                    replicas=replicas,
                    batcher=batcher,
                    short_cut=None if is_off else short_cut,
                    predict_limiter=CapacityLimiter(limits.PREDICT_THREADS),
                    metrics_limiter=CapacityLimiter(limits.METRICS_THREADS),
                    stream_limiter=CapacityLimiter(limits.STREAM_THREADS),
                    store_calls=StoreCalls(),
                    redis_turns=Semaphore(limits.REDIS_TURNS) if own else None,
                    stopping=stopping,
                )
        finally:
            await to_thread.run_sync(background.stop)
            metrics.save()
            await to_thread.run_sync(tracing.stop)
            if own:
                own.close()

    return lifespan
