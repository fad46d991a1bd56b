"""A model as it is served: an ONNX session. No other module imports onnxruntime.

The worker proves a candidate with this class and the API serves with it, so what is proved is what
is served.
"""

import os
from dataclasses import dataclass

# Without this variable, set before the import, onnxruntime 1.32 looks up its vendor's host and
# writes a database under the home directory. The images and the Makefile set the variable too.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from shared.schema.columns import Columns, columns_of, missing_column
from shared.schema.decoder import Decoder
from shared.schema.schema import Kind, Schema
from shared.versions.external_data import has_external_data

_NOWHERE = "/dev/null/model.onnx-holds-all-its-data"
"""Where onnxruntime looks for external data. No file is there: /dev/null is not a folder."""

OUTPUT_NAMES = {
    Kind.BINARY: ("label", "probabilities"),
    Kind.MULTICLASS: ("label", "probabilities"),
    Kind.REGRESSION: ("prediction",),
}
"""int64 of shape (rows,), the places of labels among the classes, and float32 of shape
(rows, classes); of a regression float32 of shape (rows,) or (rows, 1)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model says of rows, each array in their order: labels, or numbers."""

    codes: NDArray[np.int64] | None = None
    """The place of the label among the schema's classes, of shape (rows,)."""
    probabilities: NDArray[np.float32] | None = None
    """Of shape (rows, classes)."""
    values: NDArray[np.float32] | None = None
    """The numbers of a regression, of shape (rows,)."""


class OnnxModel:
    """A loaded ONNX model of a schema; safe to call from several threads at once.

    Raises:
        ValueError: the bytes are not an ONNX model, or the model has external data, or other inputs
            or outputs than the schema's features and `OUTPUT_NAMES`.
    """

    def __init__(self, onnx: bytes, schema: Schema) -> None:
        if has_external_data(onnx):
            raise ValueError(
                "the model has external data: it names other files, which are never read; save the "
                "model with all its tensors inside"
            )
        options = onnxruntime.SessionOptions()
        # By default onnxruntime starts a thread per physical core of the host, whatever the
        # container's limit (onnxruntime#29510).
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 4
        # In case onnxruntime finds external data that the check above does not find: by default it
        # opens files relative to the working directory, and outside of it.
        options.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", _NOWHERE
        )
        try:
            self._session = onnxruntime.InferenceSession(
                onnx, options, providers=["CPUExecutionProvider"]
            )
        # The exceptions of onnxruntime have no other base in common.
        except Exception as error:
            raise ValueError(f"onnxruntime cannot load the model: {_in_one_line(error)}") from error
        inputs = sorted(tensor.name for tensor in self._session.get_inputs())
        outputs = tuple(tensor.name for tensor in self._session.get_outputs())
        expected = sorted(feature.name for feature in schema.features)
        self._outputs = OUTPUT_NAMES[schema.kind]
        if inputs != expected or outputs != self._outputs:
            raise ValueError(
                f"the model takes {inputs} and gives {list(outputs)}; "
                f"its schema expects {expected} and {list(self._outputs)}"
            )
        self._schema = schema

    def predict(self, columns: Columns) -> Answer:
        """Return the answer to each row of checked columns."""
        found = self._session.run(self._outputs, columns)
        if len(found) == 1:
            return Answer(values=found[0].ravel())
        return Answer(*found)

    def warm_up(self) -> None:
        """Predict once, so that the first client does not wait for what onnxruntime does lazily.

        Raises:
            ValueError: the model loads but does not predict.
        """
        features = self._schema.features
        try:
            records = Decoder(features).to_records(self._schema.examples)
            columns = columns_of(features)(records)
            if not records:
                columns = {feature.name: missing_column(feature, 1) for feature in features}
            self.predict(columns)
        except Exception as error:
            raise ValueError(f"the model does not predict: {_in_one_line(error)}") from error


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())
