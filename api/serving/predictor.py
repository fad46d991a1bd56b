"""Predictions: from the body of a request to the body of its answer."""

from dataclasses import dataclass

import msgspec
import numpy as np
import orjson
from numpy.typing import NDArray

from api import limits
from api.serving.pieces import pieces
from api.serving.served_model import ServedModel
from api.telemetry import metrics
from shared.errors import TooManyRows
from shared.schema.columns import Columns
from shared.schema.decoder import decode


@dataclass(frozen=True, slots=True)
class Predicted:
    """The answers of one model to the records of one request, in the same order."""

    version: str
    labels: NDArray[np.int64]
    """The more probable label of each record, of shape (rows,)."""
    probabilities: NDArray[np.float32]
    """The probability of label 1, of shape (rows,)."""

    def json(self) -> bytes:
        """Return the body of the answer."""
        answer = {
            "predictions": self.labels,
            "probabilities": self.probabilities,
            "model_version": self.version,
        }
        return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)


def predict(columns: Columns, served: ServedModel) -> Predicted:
    """Predict for checked columns. Does no I/O."""
    labels, probabilities = served.model.predict(columns)
    metrics.PREDICTED.note(labels, probabilities)
    return Predicted(served.version, labels, probabilities)


def records(body: bytes, max_rows: int) -> list[msgspec.Struct]:
    """Decode and check a JSON list of records, piece by piece.

    Raises:
        TooManyRows: The list has more than `max_rows` records. What follows has not been decoded.
        REFUSED: The decoder does not accept the body.
    """
    if len(body) <= limits.PIECE_BYTES:
        found = decode(body)
        if len(found) > max_rows:
            raise too_many_rows(max_rows)
        return found
    found = []
    for piece in pieces(body):
        found += decode(piece.text)
        if len(found) > max_rows:
            raise too_many_rows(max_rows)
    return found


def too_many_rows(max_rows: int, rows: int | None = None) -> TooManyRows:
    """Return the error for a request of `rows` rows, or of more than were counted."""
    return TooManyRows(
        f"expected at most {max_rows} rows in a request, got {rows or 'more'}; send them in "
        "several requests, or raise LIFEBOAT_MAX_ROWS"
    )
