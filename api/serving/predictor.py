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


@dataclass(frozen=True, slots=True)
class Predicted:
    """The answers of one model to the records of one request, in the same order."""

    served: ServedModel
    answer: Answer

    @property
    def version(self) -> str:
        return self.served.version

    @property
    def labels(self) -> Any:
        """Return the labels of a classification: an int64 array if they are 0 and 1, or a list."""
        assert self.answer.codes is not None
        schema = self.served.schema
        if schema.is_plain_binary:
            return self.answer.codes
        classes = schema.classes
        return [classes[code] for code in self.answer.codes.tolist()]

    @property
    def probabilities(self) -> Any:
        """Return those of the positive label (float32, (rows,)), or of each class ((rows, k))."""
        assert self.answer.probabilities is not None
        schema = self.served.schema
        if schema.kind is Kind.BINARY:
            return np.ascontiguousarray(self.answer.probabilities[:, schema.positive_index])
        return self.answer.probabilities

    @property
    def label(self) -> Any:
        """Return the labels, under the name of their tensor."""
        return self.labels

    @property
    def prediction(self) -> Any:
        """Return the numbers of a regression: float32 of shape (rows,)."""
        return self.answer.values

    def part(self, start: int, end: int) -> "Predicted":
        """Return the answers to some of the rows."""
        codes, chances = self.answer.codes, self.answer.probabilities
        if codes is None or chances is None:
            assert self.answer.values is not None
            return Predicted(self.served, Answer(values=self.answer.values[start:end]))
        return Predicted(self.served, Answer(codes[start:end], chances[start:end]))

    def json(self) -> bytes:
        """Return the body of the answer."""
        schema = self.served.schema
        if schema.kind is Kind.REGRESSION:
            answer: dict[str, Any] = {"predictions": self.answer.values}
        else:
            answer = {"predictions": self.labels, "probabilities": self.probabilities}
            if not schema.is_plain_binary:
                answer["classes"] = schema.classes
        answer["model_version"] = self.version
        return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)


def predict(columns: Columns, served: ServedModel) -> Predicted:
    """Predict for checked columns. Does no I/O."""
    answer = served.model.predict(columns)
    metrics.PREDICTED.note(served.tally, answer)
    return Predicted(served, answer)
