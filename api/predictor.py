"""From the body of a request to the body of its answer, on the model that is served."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from api import metrics
from shared.errors import NoModelYet
from shared.features import FEATURES, Columns
from shared.onnx_model import OnnxModel
from shared.passenger import Passenger

_PLAINER = {
    "extra_forbidden": f"unknown field; known are {', '.join(f.name for f in FEATURES)}",
    "multiple_of": "Input should be a whole number",
    "missing": "this field is required",
}
"""Where Pydantic's own words do not help whoever sent the request."""

_LONGEST_NAME = 80

MAX_ERRORS = 20
"""Errors reported for one request; more would not help to mend it."""

INLINE_BYTES = 64 * 1024
"""A body up to this size, about 600 records, is predicted on the event loop: 0.7 ms during which
nobody else is served. A longer one goes to a thread, which costs 0.1 ms more."""

_PASSENGERS = TypeAdapter(list[Passenger])


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A loaded model and its name in one object, so that no answer can mix two versions."""

    version: str
    model: OnnxModel


class ServedModelHolder:
    """The one place that says what this process serves; set by the watcher, read by requests."""

    def __init__(self) -> None:
        self.current: ServedModel | None = None

    @property
    def version(self) -> str | None:
        served = self.current
        return None if served is None else served.version


@dataclass(frozen=True, slots=True)
class Predicted:
    """What one model answered for the records of one request, in the order given."""

    version: str
    labels: NDArray[np.int64]
    """The more probable label, of shape (rows,)."""
    probabilities: NDArray[np.float32]
    """Of label 1, of shape (rows,)."""

    def json(self) -> bytes:
        answer = {
            "predictions": self.labels,
            "probabilities": self.probabilities,
            "model_version": self.version,
        }
        return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)


def predict(columns: Columns, served: ServedModel) -> Predicted:
    """Checked columns -> predictions. Does no I/O."""
    labels, probabilities = served.model.predict(columns)
    metrics.PREDICTED_ROWS.inc(len(labels))
    return Predicted(served.version, labels, probabilities)


def served_model(holder: ServedModelHolder) -> ServedModel:
    """Raises NoModelYet."""
    served = holder.current
    if served is None:
        raise NoModelYet(
            "there is no model to predict with yet. The first one is trained when the worker "
            "starts; GET /jobs shows how far it is, PUT /run-pipeline starts a run"
        )
    return served


def shortened(loc: Iterable[str | int]) -> list[str | int]:
    """Where an error is. The name of an unknown field is the client's, and as long as it likes."""
    return [part[:_LONGEST_NAME] if isinstance(part, str) else part for part in loc]


def explain(body: bytes, refused: Exception) -> list[dict[str, object]]:
    """The first errors of a refused body as FastAPI words them (`loc`, `msg`, `type`).

    `loc` is ("body", index of the passenger, field); `msg` says the same in words. The input itself
    is never shown.
    """
    try:
        _PASSENGERS.validate_json(body)
    except ValidationError as error:
        return _worded(error)
    # Of a field that comes twice Pydantic looks at the last value, the decoder at each.
    where = str(refused).rpartition(" - ")[2][:_LONGEST_NAME]
    message = f"a field is given more than once, and one of its values is wrong: {where}"
    return [{"loc": ["body"], "msg": message, "type": "value_error"}]


def _worded(error: ValidationError) -> list[dict[str, object]]:
    explained: list[dict[str, object]] = []
    for found in error.errors(include_input=False, include_url=False, include_context=False):
        where = shortened(found["loc"])
        message = _PLAINER.get(found["type"], found["msg"])
        if where:
            message = f"passenger {where[0]}{''.join(f', {p}' for p in where[1:])}: {message}"
        explained.append({"loc": ["body", *where], "msg": message, "type": found["type"]})
        if len(explained) == MAX_ERRORS:
            break
    return explained
