"""The model versions, and the choice of the version that is served."""

import logging
import time
from functools import partial
from typing import Annotated, Any

import anyio
from anyio import move_on_after, to_thread
from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from api import limits
from api.dependencies import (
    HolderDep,
    ModelStoreDep,
    RedisTurn,
    StoreCallsDep,
    TurnDep,
    VersionKeyDep,
)
from api.http.key import ApiKeyRequired
from api.schemas.answers import ChosenModel, ModelChoice, Models, ModelVersion
from api.schemas.documented import (
    BODY,
    INVALID_CALL,
    KEY_NEEDED,
    NO_JSON,
    NO_PLOT,
    NO_REDIS,
    NO_STORE,
    NO_VERSION,
    NOT_SERVABLE,
)
from api.schemas.parameters import PlotName, VersionName
from api.serving.served_model import ServedModel
from shared.errors import SchemaBreaks, StoreUnreachable
from shared.schema.compatibility import breaks
from shared.versions.manifest import Manifest
from shared.versions.store import ModelStore

_SVG = "image/svg+xml"
_PLOT_HEADERS = {
    # A version never changes.
    "Cache-Control": "private, max-age=31536000, immutable",
    # For people who open the plot by itself: nothing in it runs, and it loads nothing.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
}

log = logging.getLogger(__name__)

router = APIRouter(tags=["models"])

_CHOICE: dict[str, Any] = {
    "required": True,
    "content": {"application/json": {"schema": ModelChoice.model_json_schema()}},
}


async def _read_choice(request: Request) -> ModelChoice:
    """Read the body, whatever Content-Type it has: `curl -d` states that of a form.

    Raises:
        HTTPException, RequestValidationError: As FastAPI would, if the type were that of JSON.
    """
    body: bytes = request.scope["body"]
    try:
        return ModelChoice.model_validate_json(body.decode())
    except UnicodeDecodeError:
        raise HTTPException(
            400, "expected JSON as text in UTF-8, found other bytes; send it as UTF-8"
        ) from None
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise RequestValidationError(
            [{**each, "loc": ("body", *each["loc"])} for each in found]
        ) from None


@router.get("/models", responses=NO_STORE)
async def get_models(models: ModelStoreDep, holder: HolderDep, store: StoreCallsDep) -> Models:
    """List every version in the store, newest first. Needs no Redis."""
    found = await store.ask(models.listed)
    return Models(serving=holder.version, versions=[_described(manifest) for manifest in found])


@router.get("/models/{model_version}", responses=NO_VERSION | NOT_SERVABLE | NO_STORE)
async def get_model(
    model_version: VersionName, models: ModelStoreDep, store: StoreCallsDep
) -> Manifest:
    """Return the manifest of a version: all that is known of it."""
    return await store.ask(models.manifest, model_version)


@router.get(
    "/models/{model_version}/plots/{plot}",
    response_class=Response,
    responses=NO_PLOT
    | NOT_SERVABLE
    | NO_STORE
    | {200: {"content": {_SVG: {}}, "description": "A picture, with a background of its own."}},
)
async def get_model_plot(
    model_version: VersionName, plot: PlotName, models: ModelStoreDep, store: StoreCallsDep
) -> Response:
    """Return a plot of how the version did in cross-validation, on rows its fits had not seen."""
    picture = await store.ask(models.plot, model_version, plot)
    return Response(picture, headers=_PLOT_HEADERS, media_type=_SVG)


@router.put(
    "/models/current",
    responses=NO_VERSION | NOT_SERVABLE | NO_JSON | BODY | INVALID_CALL | NO_REDIS | KEY_NEEDED,
    dependencies=[ApiKeyRequired, RedisTurn],
    openapi_extra={"requestBody": _CHOICE},
)
async def put_current_model(
    choice: Annotated[ModelChoice, Depends(_read_choice)],
    models: ModelStoreDep,
    holder: HolderDep,
    version_key: VersionKeyDep,
    turn: TurnDep,
    store: StoreCallsDep,
) -> ChosenModel:
    """Serve that version: roll back, or forward, in every API process within milliseconds.

    Then wait for up to a second until the worker has noted the choice beside the versions.
    """
    deadline = anyio.current_time() + limits.STORE_SECONDS
    version = choice.model_version
    # Before Redis is asked: whoever names what cannot be served learns that, whatever Redis says.
    manifest = await store.ask(models.check, version, deadline=deadline)
    if not choice.allow_schema_change:
        _check_schema(manifest, holder.current)
    late = time.monotonic() + limits.STORE_SECONDS

    def look(named: str) -> None:
        models.manifest(named)
        if time.monotonic() > late:
            # The client was told that the store did not answer, and may have chosen another one.
            raise StoreUnreachable(f"model version {named} was found too late to choose it")

    choose = partial(version_key.choose, version, look)
    await store.ask(choose, deadline=deadline)
    log.info("chosen as the version to serve", extra={"model_version": version})
    # What follows asks the volume, and other calls may ask Redis meanwhile.
    turn.end()
    kept = await _is_kept(version, models, deadline)
    if not kept:
        log.warning(
            "the choice is in Redis and not on the volume, so an API process that starts without "
            "Redis may serve another version; the log of the worker says why",
            extra={"model_version": version},
        )
    return ChosenModel(model_version=version, kept=kept)


def _check_schema(manifest: Manifest, served: ServedModel | None) -> None:
    """Raise SchemaBreaks if clients of what is served would notice the other version."""
    broken = breaks(served.schema, manifest.record_schema) if served is not None else ""
    if served is not None and broken:
        raise SchemaBreaks(
            f"model version {manifest.model_version} does not answer all that {served.version} "
            f'answers: {broken}; send "allow_schema_change": true to serve it nevertheless'
        )


async def _is_kept(version: str, models: ModelStore, deadline: float) -> bool:
    """Wait for the worker's note of the choice; return whether it is on the volume in time."""
    with move_on_after(min(limits.KEPT_SECONDS, deadline - anyio.current_time())):
        while await to_thread.run_sync(models.current, abandon_on_cancel=True) != version:
            await anyio.sleep(limits.KEPT_LOOK_SECONDS)
        return True
    return False


def _described(manifest: Manifest) -> ModelVersion:
    return ModelVersion(
        model_version=manifest.model_version,
        job_id=manifest.job_id,
        created_at=manifest.created_at,
        outcome=manifest.gate.outcome,
        reason=manifest.gate.reason,
        metrics=manifest.metrics,
        metric=manifest.metric,
        higher_is_better=manifest.higher_is_better,
        target=manifest.record_schema.target,
        kind=manifest.record_schema.kind,
        data=manifest.data,
        plots=manifest.plots,
    )
