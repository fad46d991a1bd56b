"""`POST /predict`."""

import msgspec
from anyio import to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import TypeAdapter

from api import limits
from api.dependencies import State
from api.http.errors import refusal
from api.http.responses import BytesResponse, refuse_encoded
from api.schemas.answers import Predictions
from api.schemas.documented import BODY, INVALID, NO_MODEL, PREDICTED
from api.serving.predictor import Predicted, predict, records
from api.serving.refusals import Errors, explain
from api.serving.served_model import served_model
from shared.errors import LifeboatError, TooManyRows
from shared.schema.columns import to_columns
from shared.schema.decoder import REFUSED
from shared.schema.features import FEATURES
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
    asked = _asked(body, state["settings"].max_rows)
    # What a body costs is not its bytes: a record can have two of them, or a thousand.
    if asked is not None and len(asked) * len(FEATURES) <= limits.INLINE_VALUES:
        predicted = await state["batcher"].predict(asked)
        answer = predicted.json()
    else:
        # Explaining takes longer than a prediction, too, even for a small body.
        limiter = state["predict_limiter"]
        outcome = await to_thread.run_sync(_predict, body, asked, state, limiter=limiter)
        if isinstance(outcome, LifeboatError):
            return refusal(request, outcome)
        if isinstance(outcome, list):
            refuse_encoded(request)
            return JSONResponse({"detail": outcome}, 422)
        predicted, answer = outcome
    return BytesResponse(
        answer,
        (b"content-type", b"application/json"),
        (b"x-model-version", predicted.version.encode()),
    )


def _asked(body: bytes, max_rows: int) -> list[msgspec.Struct] | None:
    """Return the records of a body that is short enough for the event loop; None unless sound."""
    if len(body) > limits.INLINE_BYTES:
        return None
    try:
        return records(body, max_rows)
    except (*REFUSED, TooManyRows):
        return None


def _predict(
    body: bytes, asked: list[msgspec.Struct] | None, state: State
) -> tuple[Predicted, bytes] | Errors | LifeboatError:
    """Predict in a thread, for the records if they are decoded already.

    What a client can be answered is returned, never raised.
    """
    max_rows = state["settings"].max_rows
    try:
        if asked is None:
            try:
                asked = records(body, max_rows)
            except REFUSED:
                return explain(body, max_rows)
        predicted = predict(to_columns(asked), served_model(state["holder"]))
        return predicted, predicted.json()
    except LifeboatError as error:
        return error.with_traceback(None)
