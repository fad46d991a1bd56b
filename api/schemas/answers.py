"""The ids in paths, the bodies of answers beside `Job` and `Manifest`, and the errors that routes
document."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Header, Path
from pydantic import AfterValidator, BaseModel, ConfigDict

from shared.jobs.job import JOB_ID_PATTERN, Job, JobStatus
from shared.versions.manifest import VERSION_PATTERN, Metrics, Plot, TrainingData


def _id(pattern: re.Pattern[str], example: str) -> Any:
    # Documented only: the stores check it, and what is no id is unknown, 404, and not 422.
    return Path(json_schema_extra={"pattern": f"^{pattern.pattern}$"}, examples=[example])


JobId = Annotated[str, _id(JOB_ID_PATTERN, "04d8e84b92d2a8a33813b1c238609411")]
VersionName = Annotated[str, _id(VERSION_PATTERN, "20261124-003726-e5f42c")]
PlotName = Annotated[str, Path(json_schema_extra={"enum": [*Plot]}, examples=[Plot.ROC.value])]

# No space at either end: it would be lost on its way.
_REQUESTER_PATTERN = re.compile(r"[!-~]([ -~]{0,62}[!-~])?")


def _check_requester(name: str | None) -> str | None:
    if name is not None and not _REQUESTER_PATTERN.fullmatch(name):
        raise ValueError("a name of 1 to 64 printable ASCII characters is needed, or no header")
    return name


RequestedBy = Annotated[
    str | None,
    AfterValidator(_check_requester),
    Header(
        alias="X-Requested-By",
        description="Who asks: 1 to 64 printable ASCII characters, shown as the job's "
        "`requested_by`.",
        json_schema_extra={"pattern": f"^{_REQUESTER_PATTERN.pattern}$"},
        examples=["ada@example"],
    ),
]


def _example(**fields: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"example": fields})


class _Answer(BaseModel):
    # A field name that begins with `model_` is part of the public contract here.
    model_config = ConfigDict(use_attribute_docstrings=True, protected_namespaces=())


class Predictions(_Answer):
    model_config = _example(
        predictions=[0, 1],
        probabilities=[0.15052056, 0.812181],
        model_version="20261124-003726-e5f42c",
    )

    predictions: list[Literal[0, 1]]
    """The more probable label of each record."""
    probabilities: list[float]
    """Probability of label 1, 0 to 1."""
    model_version: str


class StartedRun(_Answer):
    model_config = _example(
        job_id="04d8e84b92d2a8a33813b1c238609411",
        status="queued",
        status_url="/jobs/04d8e84b92d2a8a33813b1c238609411",
    )

    job_id: str
    status: JobStatus
    status_url: str


class Jobs(_Answer):
    jobs: list[Job]


class ModelVersion(_Answer):
    model_version: str
    job_id: str
    """The job that trained it."""
    created_at: datetime
    outcome: Literal["promoted", "rejected"]
    """What the promotion gate decided. A rejected version can be served by choosing it."""
    reason: str
    metrics: Metrics
    data: TrainingData
    plots: list[Plot]
    """Those that `GET /models/{model_version}/plots/{plot}` answers with."""


class Models(_Answer):
    serving: str | None
    """The version that the answering process serves right now."""
    versions: list[ModelVersion]


class ModelChoice(_Answer):
    model_config = ConfigDict(extra="forbid") | _example(model_version="20261124-003726-e5f42c")

    model_version: str


class Process(_Answer):
    model_config = _example(process="0b5f1f0c3c1e:8", model_version="20261124-003726-e5f42c")

    process: str
    """`<host>:<pid>`."""
    model_version: str | None
    """null before it has a model."""


class Processes(_Answer):
    processes: list[Process]
    """Sorted by their names."""


class Live(_Answer):
    status: Literal["live"] = "live"


class Readiness(_Answer):
    status: Literal["ready", "no model yet"]
    model_version: str | None
    redis: Literal["up", "down"]
    """Reported only: predictions need no Redis."""


class Error(_Answer):
    detail: str


class FieldError(_Answer):
    loc: list[str | int]
    """"body", the index of the record, the field."""
    msg: str
    type: str


class FieldErrors(_Answer):
    detail: list[FieldError]


class InferenceServer(_Answer):
    name: str
    version: str
    extensions: list[str]


class ServerLive(_Answer):
    live: Literal[True] = True


class ServerReady(_Answer):
    ready: Literal[True] = True


class ModelReady(ServerReady):
    name: str


class TensorMetadata(_Answer):
    name: str
    datatype: str
    shape: list[int]
    """-1 is the number of rows."""


class ModelMetadata(_Answer):
    name: str
    versions: list[str]
    """The one that is served."""
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class OutputTensor(TensorMetadata):
    data: list[int] | list[float] | None = None
    parameters: dict[str, int] | None = None
    """`binary_data_size`, where the data follows the JSON."""


class Inferred(_Answer):
    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[OutputTensor]


class InferenceError(_Answer):
    error: str


Responses = dict[int | str, dict[str, Any]]


def _header(name: str, description: str) -> dict[str, Any]:
    return {"headers": {name: {"description": description, "schema": {"type": "string"}}}}


def _error(status: int, description: str, model: type[BaseModel] = Error) -> Responses:
    response: dict[str, Any] = {"model": model, "description": description}
    if status == 503:
        response |= _header("Retry-After", "Seconds after which to ask again.")
    return {status: response}


PREDICTED: Responses = {200: _header("X-Model-Version", "The version that predicted.")}
ACCEPTED: Responses = {202: _header("Location", "Where to ask for the job.")}


_BUSY = "Too much is in progress; `Retry-After` says when to ask again."
_LARGE = "More bytes or more rows than the settings allow; the connection may be closed."
_SLOW = "The request was not whole in time; the connection is closed."
_ENCODED = "The body cannot be read, and came with a Content-Encoding: none is decoded."


def _of_bodies(model: type[BaseModel]) -> Responses:
    return _error(408, _SLOW, model) | _error(413, _LARGE, model) | _error(415, _ENCODED, model)


BUSY = _error(503, _BUSY)
BODY = _of_bodies(Error)
BODY_V2 = _of_bodies(InferenceError)
NO_JSON = _error(400, "The body is no text.")
INVALID = _error(422, "Which record, which field, why; the first 20.", FieldErrors)
NO_MODEL = _error(503, f"No model yet, or: {_BUSY}")
INFERRED = PREDICTED
BAD_TENSORS = _error(400, "Which tensor, which row, why.", InferenceError)
NOT_SERVED = _error(404, "That model, or that version of it, is not served.", InferenceError)
BUSY_V2 = _error(503, _BUSY, InferenceError)
NO_MODEL_V2 = _error(503, f"No model yet, or: {_BUSY}", InferenceError)
NO_REDIS = _error(503, f"Redis does not answer, or: {_BUSY}")
NO_JOB = _error(404, "There is no such job.")
JOB_ENDED = _error(409, "The job has already ended.")
NO_VERSION = _error(404, "There is no such model version.")
NO_PLOT = _error(404, "There is no such model version, or it has no such plot.")
NOT_SERVABLE = _error(409, "The version is damaged or made for another schema.")
KEY_NEEDED = _error(401, "The API key is missing.") | _error(403, "The API key is wrong.")
