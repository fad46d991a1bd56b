"""`POST /predict`."""

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import TypeAdapter, ValidationError

from api import metrics
from api.dependencies import HolderDep, PredictLimiterDep
from api.predictor import explain, predict, served_model
from api.schemas import INVALID, NO_MODEL, PREDICTED, Predictions
from shared.passenger import EXAMPLES, Passenger

_INLINE_BYTES = 32 * 1024
"""A body up to this size is predicted on the event loop: about 300 passengers. A longer one
goes to a thread, so that it holds up everybody else less."""

router = APIRouter(tags=["predict"])

_BODY = {
    "required": True,
    "content": {
        "application/json": {
            # Whole and in place: a reference would point to where OpenAPI keeps no schemas.
            "schema": {"type": "array", "items": TypeAdapter(Passenger).json_schema()},
            "example": EXAMPLES,
        },
    },
}


@router.post(
    "/predict",
    response_model=Predictions,
    responses=PREDICTED | INVALID | NO_MODEL,
    openapi_extra={"requestBody": _BODY},
)
async def post_predict(request: Request, holder: HolderDep, limiter: PredictLimiterDep) -> Response:
    """Predicts for each passenger of the list, in the order given.

    The body is read raw: FastAPI's own way makes an object per passenger, and answers 500 to some
    bodies that are no valid JSON.
    """
    body = await request.body()
    served = served_model(holder)
    is_small = len(body) <= _INLINE_BYTES
    try:
        if is_small:
            rows, answer = predict(body, served)
        else:
            rows, answer = await to_thread.run_sync(predict, body, served, limiter=limiter)
    except ValidationError as error:
        if is_small:
            detail = explain(error)
        else:
            detail = await to_thread.run_sync(explain, error, limiter=limiter)
        return JSONResponse({"detail": detail}, 422)
    metrics.PREDICTED_ROWS.inc(rows)
    return Response(
        answer, media_type="application/json", headers={"X-Model-Version": served.version}
    )
