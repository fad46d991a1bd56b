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

from shared.features import FEATURES, Columns
from shared.passenger import EXAMPLES
from shared.record import to_columns, to_records

_LABEL, _PROBABILITIES = "label", "probabilities"
OUTPUT_NAMES = (_LABEL, _PROBABILITIES)
"""int64 of shape (rows,), and float32 of shape (rows, 2)."""


class OnnxModel:
    """A loaded ONNX classifier; safe to call from several threads at once.

    Raises:
        ValueError: the bytes are no ONNX model, or one with other inputs or outputs than
            `FEATURES` and `OUTPUT_NAMES`.
    """

    def __init__(self, onnx: bytes) -> None:
        options = onnxruntime.SessionOptions()
        # By default onnxruntime takes a thread per physical core of the host, whatever the
        # container's limit (onnxruntime#29510).
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(
                onnx, options, providers=["CPUExecutionProvider"]
            )
        # onnxruntime's exceptions share no base but this.
        except Exception as error:
            raise ValueError(f"onnxruntime cannot load the model: {error}") from error
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
            raise ValueError(f"the model does not predict: {error}") from error
