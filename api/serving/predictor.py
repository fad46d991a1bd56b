"""What a served model answers to the records of one request, and the answer's body."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from api.serving.served_model import ServedModel
from api.telemetry import metrics
from shared.schema.columns import Columns
from shared.schema.schema import Kind
from shared.versions.onnx_model import Answer


# Not frozen: a batch makes one for each request, and that would take twice as long.
@dataclass(slots=True)
class Predicted:
    """The answers of one model to the records of one request, in the same order."""

    served: ServedModel
    label: Any = None
    """The labels of a classification: an int64 array if they are 0 and 1, or a list."""
    probabilities: Any = None
    """Those of the positive label (float32, (rows,)), or of each class ((rows, k))."""
    prediction: Any = None
    """The numbers of a regression: float32 of shape (rows,)."""

    @property
    def version(self) -> str:
        return self.served.version

    def part(self, start: int, end: int) -> "Predicted":
        """Return the answers to some of the rows."""
        if self.prediction is not None:
            return Predicted(self.served, prediction=self.prediction[start:end])
        return Predicted(self.served, self.label[start:end], self.probabilities[start:end])

    def json(self) -> bytes:
        """Return the body of the answer."""
        answer = (
            {"predictions": self.label, "probabilities": self.probabilities}
            if self.prediction is None
            else {"predictions": self.prediction}
        )
        answer.update(self.served.answered_always)
        return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)


def predict(columns: Columns, served: ServedModel) -> Predicted:
    """Predict for checked columns. Does no I/O."""
    answer = served.model.predict(columns)
    metrics.PREDICTED.note(served.tally, answer)
    return _predicted(answer, served)


def _predicted(answer: Answer, served: ServedModel) -> Predicted:
    schema = served.schema
    if answer.codes is None or answer.probabilities is None:
        return Predicted(served, prediction=answer.values)
    label: Any = answer.codes
    if not schema.is_plain_binary:
        label = [schema.classes[code] for code in answer.codes.tolist()]
    given = answer.probabilities
    if schema.kind is Kind.BINARY:
        given = np.ascontiguousarray(given[:, schema.positive_index])
    return Predicted(served, label, given)
