"""The routes of the Open Inference Protocol v2 (REST), for clients that already speak it."""

from collections.abc import Callable
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Path, Request, Response

from api import limits
from api.dependencies import HolderDep, State
from api.http.errors import refusal
from api.http.responses import refuse_encoded
from api.schemas.documented import BAD_TENSORS, BODY_V2, BUSY_V2, NO_MODEL_V2, NOT_SERVED, PREDICTED
from api.schemas.open_inference import (
    InferenceServer,
    Inferred,
    ModelMetadata,
    ModelReady,
    ServerLive,
    ServerReady,
    TensorMetadata,
)
from api.schemas.parameters import VersionName
from api.serving.served_model import ServedModel, served_model
from api.v2.inference import answered, asked, inferred
from api.v2.messages import HEADER_LENGTH, MODEL_NAME, inputs, outputs
from api.v2.question import Question
from shared.errors import BadTensors, LifeboatError, ModelNotFound

_BODY = {
    "required": True,
    # Its tensors are the served version's to say: see `api/routes/openapi.py`.
    "content": {"application/json": {"schema": {"type": "object"}}, "application/octet-stream": {}},
}

router = APIRouter(tags=["open inference protocol v2"])
health = APIRouter(tags=["open inference protocol v2"])
predicting = APIRouter(tags=["open inference protocol v2"])
short_way = APIRouter()
"""Serves what OpenAPI describes as `/v2/models/{name}/infer`; only `api.http.fast_path` uses it."""


# For the documentation only: another name returns 404.
_NAME = Path(json_schema_extra={"enum": [MODEL_NAME]})


def _named(name: Annotated[str, _NAME], holder: HolderDep) -> ServedModel:
    if name != MODEL_NAME:
        raise ModelNotFound(f"unknown model; the model of this server is {MODEL_NAME!r}")
    return served_model(holder)


def _versioned(
    model_version: VersionName, served: Annotated[ServedModel, Depends(_named)]
) -> ServedModel:
    if model_version != served.version:
        raise ModelNotFound(
            f"that version is not served; {served.version} is. PUT /models/current serves another"
        )
    return served


@router.get("/v2", responses=BUSY_V2)
async def get_server(request: Request) -> InferenceServer:
    return InferenceServer(
        name="lifeboat", version=request.app.version, extensions=["binary_tensor_data"]
    )


@health.get("/v2/health/live")
async def get_server_live() -> ServerLive:
    return ServerLive()


@health.get("/v2/health/ready", responses=NO_MODEL_V2)
async def get_server_ready(holder: HolderDep) -> ServerReady:
    served_model(holder)
    return ServerReady()


def _add_model_routes(path: str, find: Callable[..., ServedModel]) -> None:
    """Add the routes of a model; the model and a version of it have the same ones."""

    @router.get(path, responses=NOT_SERVED | NO_MODEL_V2)
    async def get_model(served: ServedModel = Depends(find)) -> ModelMetadata:
        """Return the names and types of the tensors; -1 in a shape is the number of rows."""
        return ModelMetadata(
            name=MODEL_NAME,
            versions=[served.version],
            platform="onnxruntime_onnx",
            inputs=[TensorMetadata.model_validate(tensor) for tensor in inputs(served.schema)],
            outputs=[TensorMetadata.model_validate(tensor) for tensor in outputs(served.schema)],
        )

    @router.get(f"{path}/ready", responses=NOT_SERVED | NO_MODEL_V2)
    async def get_model_ready(served: ServedModel = Depends(find)) -> ModelReady:
        return ModelReady(name=MODEL_NAME)

    @predicting.post(
        f"{path}/infer",
        response_model=Inferred,
        responses=PREDICTED | BODY_V2 | BAD_TENSORS | NOT_SERVED | NO_MODEL_V2,
        openapi_extra={"requestBody": _BODY},
    )
    async def post_infer(request: Request, served: ServedModel = Depends(find)) -> Response:
        """Predict for each row of the tensors. Supports the binary tensor data extension."""
        return await _inferred(request, served)


@short_way.post(f"/v2/models/{MODEL_NAME}/infer")
async def post_infer_by_name(request: Request) -> Response:
    """Predict without FastAPI's dependencies, which the fast path does not run."""
    state: State = request.scope["state"]
    return await _inferred(request, served_model(state["holder"]))


async def _inferred(request: Request, served: ServedModel) -> Response:
    body: bytes = request.scope["body"]
    state: State = request.scope["state"]
    given = (body, request.headers.get(HEADER_LENGTH), state["settings"].max_rows, served)
    outcome: Question | Response | LifeboatError | None = None
    if len(body) <= limits.INLINE_BYTES:
        outcome = asked(*given, most_values=limits.INLINE_VALUES)
    if isinstance(outcome, Question):
        predicted = await state["batcher"].tensors(outcome.values, outcome.rows, served)
        return answered(predicted, outcome)
    if outcome is None:
        outcome = await to_thread.run_sync(inferred, *given, limiter=state["predict_limiter"])
    if isinstance(outcome, BadTensors):
        refuse_encoded(request)
    return refusal(request, outcome) if isinstance(outcome, LifeboatError) else outcome


_add_model_routes("/v2/models/{name}", _named)
_add_model_routes("/v2/models/{name}/versions/{model_version}", _versioned)
