"""A model as it is served: an ONNX session. The only module that imports onnxruntime.

The worker proves a candidate with this class and the API serves with it, so what is proved is what
is served.
"""

import os

# onnxruntime 1.32 looks up its vendor's host and writes a database under the home directory unless
# this is set before the import. The images and the Procfile set it too.
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
"""Where onnxruntime looks for external data: no file can be there, as /dev/null is no folder."""

_LABEL, _PROBABILITIES = "label", "probabilities"
OUTPUT_NAMES = (_LABEL, _PROBABILITIES)
"""int64 of shape (rows,), and float32 of shape (rows, 2)."""


class OnnxModel:
    """A loaded ONNX classifier; safe to call from several threads at once.

    Raises:
        ValueError: the bytes are no ONNX model, or one with external data, or with other inputs or
            outputs than `FEATURES` and `OUTPUT_NAMES`.
    """

    def __init__(self, onnx: bytes) -> None:
        if has_external_data(onnx):
            raise ValueError(
                "the model has external data: it names other files, which are never read. Save it "
                "with all its tensors inside"
            )
        options = onnxruntime.SessionOptions()
        # By default onnxruntime takes a thread per physical core of the host, whatever the
        # container's limit (onnxruntime#29510).
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 4
        # Should onnxruntime find external data where the check above did not: by default it opens
        # files relative to the working directory, and outside of it.
        options.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", _NOWHERE
        )
        try:
            self._session = onnxruntime.InferenceSession(
                onnx, options, providers=["CPUExecutionProvider"]
            )
        # onnxruntime's exceptions share no base but this.
        except Exception as error:
            raise ValueError(f"onnxruntime cannot load the model: {_in_one_line(error)}") from error
        inputs = sorted(tensor.name for tensor in self._session.get_inputs())
        outputs = tuple(tensor.name for tensor in self._session.get_outputs())
        expected = sorted(feature.name for feature in FEATURES)
        if inputs != expected or outputs != OUTPUT_NAMES:
            raise ValueError(
                f"the model takes {inputs} and gives {list(outputs)}; "
                f"this schema takes {expected} and gives {list(OUTPUT_NAMES)}"
            )

    def predict(self, columns: Columns) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Labels (int64) and probabilities of label 1 (float32), each of shape (rows,)."""
        labels, probabilities = self._session.run(OUTPUT_NAMES, columns)
        return labels, np.ascontiguousarray(probabilities[:, 1])

    def warm_up(self) -> None:
        """One prediction, so that the first client does not pay for what onnxruntime does lazily.

        Raises:
            ValueError: the model loads but does not predict.
        """
        try:
            self.predict(to_columns(to_records(EXAMPLES)))
        except Exception as error:
            raise ValueError(f"the model does not predict: {_in_one_line(error)}") from error


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())
