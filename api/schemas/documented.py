"""The errors and headers that routes document in OpenAPI."""

from typing import Any

from pydantic import BaseModel

from api.schemas.answers import Error, FieldErrors
from api.schemas.open_inference import InferenceError

Responses = dict[int | str, dict[str, Any]]


def _header(name: str, description: str) -> dict[str, Any]:
    return {"headers": {name: {"description": description, "schema": {"type": "string"}}}}


def _error(status: int, description: str, model: type[BaseModel] = Error) -> Responses:
    response: dict[str, Any] = {"model": model, "description": description}
    if status == 401:
        response |= _header("WWW-Authenticate", "How to send the key.")
    if status == 503:
        response |= _header("Retry-After", "Seconds after which to ask again.")
    return {status: response}


PREDICTED: Responses = {200: _header("X-Model-Version", "The version that predicted.")}
ACCEPTED: Responses = {202: _header("Location", "Where to ask for the job.")}


_BUSY = "Too much is in progress; `Retry-After` says when to ask again."
_LARGE = "More bytes or more rows than the settings allow; the connection may be closed."
_SLOW = "The request did not arrive whole in time; the connection is closed."
_ENCODED = "The body cannot be read: it has a Content-Encoding, and Lifeboat decodes none."


def _of_bodies(model: type[BaseModel]) -> Responses:
    return _error(408, _SLOW, model) | _error(413, _LARGE, model) | _error(415, _ENCODED, model)


BUSY = _error(503, _BUSY)
BODY = _of_bodies(Error)
BODY_V2 = _of_bodies(InferenceError)
NO_JSON = _error(400, "The body is not text.")
INVALID = _error(422, "Which record and field are wrong, and why; the first 20.", FieldErrors)
INVALID_CALL = _error(422, "Which field is wrong, and why.", FieldErrors)
NO_MODEL = _error(503, f"No model yet, or: {_BUSY}")
BAD_TENSORS = _error(400, "Which tensor and row are wrong, and why.", InferenceError)
NOT_SERVED = _error(404, "That model, or that version of it, is not served.", InferenceError)
BUSY_V2 = _error(503, _BUSY, InferenceError)
NO_MODEL_V2 = _error(503, f"No model yet, or: {_BUSY}", InferenceError)
NO_REDIS = _error(503, f"Redis does not answer, or: {_BUSY}")
NO_STORE = _error(503, f"The store of model versions does not answer, or: {_BUSY}")
NO_JOB = _error(404, "There is no such job.")
JOB_ENDED = _error(409, "The job has already ended.")
NO_VERSION = _error(404, "There is no such model version.")
NO_PLOT = _error(404, "There is no such model version, or it has no such plot.")
NOT_SERVABLE = _error(
    409, "The version is damaged or being removed, or its schema would break requests."
)


def _key_needed(model: type[BaseModel]) -> Responses:
    missing = _error(401, "The API key is missing.", model)
    return missing | _error(403, "The API key is wrong.", model)


KEY_NEEDED = _key_needed(Error)
KEY_NEEDED_V2 = _key_needed(InferenceError)
