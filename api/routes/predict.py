"""`POST /predict`."""

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import TypeAdapter

from api import limits
from api.dependencies import State
from api.http.responses import BytesResponse, refuse_encoded
from api.schemas.answers import Predictions
from api.schemas.documented import BODY, INVALID, NO_MODEL, PREDICTED
from api.serving.predictor import Predicted, predict, records
from api.serving.refusals import explain
from api.serving.served_model import served_model
from shared.schema.columns import to_columns
from shared.schema.decoder import REFUSED
from shared.schema.passenger import EXAMPLES, LABEL, Passenger

router = APIRouter(tags=["predict"])

_BODY = {
    "required": True,
    "content": {
        "application/json": {
            # Whole and in place: a reference would point to a place where OpenAPI has no schemas.
            "schema": {"type": "array", "items": TypeAdapter(Passenger).json_schema()},
            "example": EXAMPLES,
        },
    },
}


@router.post(
    "/predict",
    response_model=Predictions,
    responses=PREDICTED | BODY | INVALID | NO_MODEL,
    # The name of what is predicted, for clients that show it to people.
    openapi_extra={"requestBody": _BODY, "x-label": LABEL},
)
async def post_predict(request: Request) -> Response:
    """Predict for each record of the list, in the order given.

    The handler reads the body raw: FastAPI's own way makes an object per record, and answers 500
    to some bodies that are not valid JSON. It asks for no dependencies, which the fast path would
    skip.
    """
    body: bytes = request.scope["body"]
    state: State = request.scope["state"]
    limiter, max_rows = state["predict_limiter"], state["settings"].max_rows
    try:
        if len(body) <= limits.INLINE_BYTES:
            predicted = await state["batcher"].predict(records(body, max_rows))
            answer = predicted.json()
        else:
            predicted, answer = await to_thread.run_sync(_predict, body, state, limiter=limiter)
    except REFUSED as error:
        refuse_encoded(request)
        # Explaining takes longer than a prediction, even for a small body.
        detail = await to_thread.run_sync(explain, body, error, max_rows, limiter=limiter)
        return JSONResponse({"detail": detail}, 422)
    return BytesResponse(
        answer,
        (b"content-type", b"application/json"),
        (b"x-model-version", predicted.version.encode()),
    )


def _predict(body: bytes, state: State) -> tuple[Predicted, bytes]:
    asked = records(body, state["settings"].max_rows)
    predicted = predict(to_columns(asked), served_model(state["holder"]))
    return predicted, predicted.json()
