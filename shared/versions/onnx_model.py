"""A model as it is served: an ONNX session. No other module imports onnxruntime.

The worker proves a candidate with this class and the API serves with it, so what is proved is what
is served.
"""

import os

# Without this variable, set before the import, onnxruntime 1.32 looks up its vendor's host and
# writes a database under the home directory. The images and the Makefile set the variable too.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from shared.schema.columns import Columns, to_columns
from shared.schema.decoder import to_records
from shared.schema.features import FEATURES
from shared.schema.passenger import EXAMPLES
from shared.versions.external_data import has_external_data

_NOWHERE = "/dev/null/model.onnx-holds-all-its-data"
"""Where onnxruntime looks for external data. No file is there: /dev/null is not a folder."""

_LABEL, _PROBABILITIES = "label", "probabilities"
OUTPUT_NAMES = (_LABEL, _PROBABILITIES)
"""int64 of shape (rows,), and float32 of shape (rows, 2)."""


class OnnxModel:
    """A loaded ONNX classifier; safe to call from several threads at once.

    Raises:
        ValueError: the bytes are not an ONNX model, or the model has external data, or other inputs
            or outputs than `FEATURES` and `OUTPUT_NAMES`.
    """

    def __init__(self, onnx: bytes) -> None:
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
        expected = sorted(feature.name for feature in FEATURES)
        if inputs != expected or outputs != OUTPUT_NAMES:
            raise ValueError(
                f"the model takes {inputs} and gives {list(outputs)}; "
                f"this release expects {expected} and {list(OUTPUT_NAMES)}"
            )

    def predict(self, columns: Columns) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return labels (int64) and probabilities of label 1 (float32), each of shape (rows,)."""
        labels, probabilities = self._session.run(OUTPUT_NAMES, columns)
        return labels, np.ascontiguousarray(probabilities[:, 1])

    def warm_up(self) -> None:
        """Predict once, so that the first client does not wait for what onnxruntime does lazily.

        Raises:
            ValueError: the model loads but does not predict.
        """
        try:
            self.predict(to_columns(to_records(EXAMPLES)))
        except Exception as error:
            raise ValueError(f"the model does not predict: {_in_one_line(error)}") from error


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())
