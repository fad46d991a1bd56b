"""The model versions, and the choice of the version that is served."""

import logging

from fastapi import APIRouter, Response

from api.dependencies import HolderDep, ModelStoreDep, RedisTurn, VersionKeyDep
from api.http.key import ApiKeyRequired
from api.schemas.answers import ModelChoice, Models, ModelVersion
from api.schemas.documented import (
    BODY,
    BUSY,
    KEY_NEEDED,
    NO_JSON,
    NO_PLOT,
    NO_REDIS,
    NO_VERSION,
    NOT_SERVABLE,
)
from api.schemas.parameters import PlotName, VersionName
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


@router.get("/models", responses=BUSY)
def get_models(models: ModelStoreDep, holder: HolderDep) -> Models:
    """List every version in the store, newest first. Needs no Redis."""
    return Models(serving=holder.version, versions=_versions(models))


@router.get("/models/{model_version}", responses=NO_VERSION | NOT_SERVABLE | BUSY)
def get_model(model_version: VersionName, models: ModelStoreDep) -> Manifest:
    """Return the manifest of a version: all that is known of it."""
    return models.manifest(model_version)


@router.get(
    "/models/{model_version}/plots/{plot}",
    response_class=Response,
    responses=NO_PLOT
    | NOT_SERVABLE
    | BUSY
    | {200: {"content": {_SVG: {}}, "description": "A picture, with a background of its own."}},
)
def get_model_plot(model_version: VersionName, plot: PlotName, models: ModelStoreDep) -> Response:
    """Return a plot of how the version did in cross-validation, on rows its fits had not seen."""
    return Response(models.plot(model_version, plot), headers=_PLOT_HEADERS, media_type=_SVG)


@router.put(
    "/models/current",
    responses=NO_VERSION | NOT_SERVABLE | NO_JSON | BODY | NO_REDIS | KEY_NEEDED,
    dependencies=[ApiKeyRequired, RedisTurn],
)
def put_current_model(
    choice: ModelChoice, models: ModelStoreDep, version_key: VersionKeyDep
) -> ModelChoice:
    """Serve that version: roll back, or forward, in every API process within milliseconds."""
    models.load(choice.model_version)
    version_key.set(choice.model_version)
    log.info("chosen as the version to serve", extra={"model_version": choice.model_version})
    return choice


def _versions(models: ModelStore) -> list[ModelVersion]:
    return [
        ModelVersion(
            model_version=manifest.model_version,
            job_id=manifest.job_id,
            created_at=manifest.created_at,
            outcome=manifest.gate.outcome,
            reason=manifest.gate.reason,
            metrics=manifest.metrics,
            data=manifest.data,
            plots=manifest.plots,
        )
        for manifest in models.manifests()
    ]
