"""The bodies of answers, except `Job` and `Manifest`, and of requests that FastAPI reads."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from shared.jobs.job import Job, JobStatus
from shared.schema.schema import Kind
from shared.versions.manifest import Metrics, Plot, TrainingData


class Answer(BaseModel):
    """The base of all bodies; the docstrings of fields are their descriptions in OpenAPI."""

    # A field name that begins with `model_` is part of the public contract here.
    model_config = ConfigDict(use_attribute_docstrings=True, protected_namespaces=())


def example(**fields: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"example": fields})


class Predictions(Answer):
    model_config = example(
        predictions=[0, 1],
        probabilities=[0.15052056, 0.812181],
        model_version="20261124-003726-e5f42c",
    )

    predictions: list[bool | int | str | float]
    """The more probable label of each record; of a regression, a number."""
    probabilities: list[float] | list[list[float]] | None = None
    """Of two labels, the probability of the positive one; of more, those of each, in the order of
    `classes`."""
    classes: list[bool | int | str] | None = None
    """Every label, in the order of the probabilities; not if the labels are 0 and 1."""
    model_version: str


class StartedRun(Answer):
    model_config = example(
        job_id="04d8e84b92d2a8a33813b1c238609411",
        status="queued",
        status_url="/jobs/04d8e84b92d2a8a33813b1c238609411",
    )

    job_id: str
    status: JobStatus
    status_url: str


class Jobs(Answer):
    jobs: list[Job]


class ModelVersion(Answer):
    model_version: str
    job_id: str
    """The job that trained it."""
    created_at: datetime
    outcome: Literal["promoted", "rejected"]
    """What the promotion gate decided. A rejected version can be served by choosing it."""
    reason: str
    metrics: Metrics
    metric: str
    """The name of the metric that the gate compares."""
    higher_is_better: bool
    """Whether a higher value of that metric is better."""
    target: str
    """The name of what it predicts."""
    kind: Kind
    data: TrainingData
    plots: list[Plot]
    """The plots that `GET /models/{model_version}/plots/{plot}` returns."""


class Models(Answer):
    serving: str | None
    """The version that the answering process serves right now."""
    versions: list[ModelVersion]


class ModelChoice(Answer):
    model_config = ConfigDict(extra="forbid") | example(model_version="20261124-003726-e5f42c")

    model_version: str
    allow_schema_change: bool = False
    """Whether to serve it although requests that are answered now would be refused, or answered in
    another shape."""


class ChosenModel(Answer):
    model_config = example(model_version="20261124-003726-e5f42c", kept=True)

    model_version: str
    kept: bool
    """Whether the worker has noted the choice beside the versions, where an API process that starts
    without Redis finds it. If false, the choice is in Redis alone."""


class Process(Answer):
    model_config = example(process="0b5f1f0c3c1e:8", model_version="20261124-003726-e5f42c")

    process: str
    """`<host>:<pid>`."""
    model_version: str | None
    """null before the process has a model."""


class Processes(Answer):
    processes: list[Process]
    """Sorted by process."""


class Live(Answer):
    status: Literal["live"] = "live"


class Readiness(Answer):
    status: Literal["ready", "no model yet"]
    model_version: str | None
    redis: Literal["up", "down", "none"]
    """For information only: predictions do not need Redis. `down` if it does not answer or takes no
    changes, `none` if this API only serves."""
    redis_error: str | None
    """Why Redis is down."""
    store_error: str | None = None
    """Why the store of versions does not answer, if the API follows it instead of Redis."""
    version: str
    """Lifeboat's own version."""
    revision: str
    """The revision of Lifeboat's code that answers; "unknown" if it was built without Git."""


class Error(Answer):
    detail: str


class FieldError(Answer):
    loc: list[str | int]
    """"body", the index of the record, the field."""
    msg: str
    type: str


class FieldErrors(Answer):
    detail: list[FieldError]
