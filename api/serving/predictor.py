"""From the body of a request to the body of its answer, on the model that is served."""

from dataclasses import dataclass

import msgspec
import numpy as np
import orjson
from numpy.typing import NDArray

from api.serving.served_model import ServedModel
from api.telemetry import metrics
from shared.errors import TooManyRows
from shared.schema.columns import Columns
from shared.schema.decoder import count, decode


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
    metrics.PREDICTED.note(labels, probabilities)
    return Predicted(served.version, labels, probabilities)


def records(body: bytes, max_rows: int) -> list[msgspec.Struct]:
    """A JSON list of records, decoded and checked.

    Raises one of `REFUSED`, or TooManyRows before anything is made of the records.
    """
    # At least as many as there are records, and counted in no time.
    if body.count(b"{") > max_rows:
        rows = count(body)
        if rows > max_rows:
            raise too_many_rows(rows, max_rows)
    return decode(body)


def too_many_rows(rows: int, max_rows: int) -> TooManyRows:
    return TooManyRows(
        f"the request has {rows} rows, and {max_rows} are the most that one may have; "
        "send them in several requests, or raise LIFEBOAT_MAX_ROWS"
    )
