"""`POST /predict`."""

import msgspec
from anyio import to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from api import limits
from api.dependencies import State
from api.http.errors import refusal
from api.http.responses import BytesResponse, refuse_encoded
from api.schemas.answers import Predictions
from api.schemas.documented import BODY, INVALID, NO_MODEL, PREDICTED
from api.serving.bodies import records
from api.serving.predictor import Predicted, predict
from api.serving.refusals import Errors
from api.serving.served_model import ServedModel, served_model
from shared.errors import LifeboatError, TooManyRows
from shared.schema.decoder import REFUSED

PATH = "/predict"

router = APIRouter(tags=["predict"])

_BODY = {
    "required": True,
    # What a record is, is the served version's to say: see `api/routes/openapi.py`.
    "content": {"application/json": {"schema": {"type": "array", "items": {"type": "object"}}}},
}


@router.post(
    PATH,
    response_model=Predictions,
    responses=PREDICTED | BODY | INVALID | NO_MODEL,
    openapi_extra={"requestBody": _BODY},
)
async def post_predict(request: Request) -> Response:
    """Predict for each record of the list, in the order given.

    The handler reads the body raw: FastAPI's own way makes an object per record, and answers 500
    to some bodies that are not valid JSON. It asks for no dependencies, which the fast path would
    skip.
    """
    body: bytes = request.scope["body"]
    state: State = request.scope["state"]
    # Once: what this version's schema has decoded must be predicted by this version.
    served = served_model(state["holder"])
    max_rows = state["settings"].max_rows
    records = asked(body, max_rows, served)
    if records is not None and is_short(records, served):
        return answered(await state["batcher"].records(records, served))
    # Explaining takes longer than a prediction, too, even for a small body.
    limiter = state["predict_limiter"]
    outcome = await to_thread.run_sync(_predict, body, records, max_rows, served, limiter=limiter)
    if isinstance(outcome, LifeboatError):
        return refusal(request, outcome)
    if isinstance(outcome, list):
        refuse_encoded(request)
        return JSONResponse({"detail": outcome}, 422, {"X-Model-Version": served.version})
    return outcome


def answered(predicted: Predicted) -> BytesResponse:
    """Return the answer to records."""
    return BytesResponse(
        predicted.json(),
        (b"content-type", b"application/json"),
        (b"x-model-version", predicted.version.encode()),
    )


def is_short(records: list[msgspec.Struct], served: ServedModel) -> bool:
    """Return whether the event loop may predict for the records.

    What a body costs is not its bytes: a record can have two of them, or a thousand.
    """
    return len(records) * len(served.readers) <= limits.INLINE_VALUES


def asked(body: bytes, max_rows: int, served: ServedModel) -> list[msgspec.Struct] | None:
    """Return the records of a body that is short enough for the event loop; None unless sound."""
    if len(body) > limits.INLINE_BYTES:
        return None
    try:
        return records(body, max_rows, served.decoder)
    except (*REFUSED, TooManyRows):
        return None


def _predict(
    body: bytes, found: list[msgspec.Struct] | None, max_rows: int, served: ServedModel
) -> BytesResponse | Errors | LifeboatError:
    """Predict in a thread, for the records if they are decoded already.

    What a client can be answered is returned, never raised.
    """
    try:
        if found is None:
            try:
                found = records(body, max_rows, served.decoder)
            except REFUSED:
                return served.refusals.explain(body, max_rows)
        return answered(predict(served.to_columns(found), served))
    except LifeboatError as error:
        return error.with_traceback(None)
