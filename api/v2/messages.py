"""The messages of the Open Inference Protocol v2: inference requests and their answers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from api.serving.predictor import Predicted
from api.serving.tensors.reader import encoded
from api.v2.question import Question
from shared.schema.schema import Kind, Schema

MODEL_NAME = "lifeboat"
HEADER_LENGTH = "inference-header-content-length"
"""The HTTP header of the binary tensor data extension: the length of the JSON before the data."""

_OUTPUT_TYPES = {bool: "BOOL", int: "INT64", str: "BYTES"}


def inputs(schema: Schema) -> list[dict[str, Any]]:
    """Return the tensors that are read, as the protocol describes them."""
    return [
        {
            "name": feature.name,
            "datatype": "FP32" if feature.kind == "number" else "BYTES",
            "shape": [-1, 1],
        }
        for feature in schema.features
    ]


def outputs(schema: Schema) -> list[dict[str, Any]]:
    """Return the tensors that are answered, as the protocol describes them."""
    if schema.kind is Kind.REGRESSION:
        return [{"name": "prediction", "datatype": "FP32", "shape": [-1]}]
    label = _OUTPUT_TYPES[type(schema.classes[0])]
    columns = [] if schema.kind is Kind.BINARY else [len(schema.classes)]
    return [
        {"name": "label", "datatype": label, "shape": [-1]},
        {"name": "probabilities", "datatype": "FP32", "shape": [-1, *columns]},
    ]


def example(schema: Schema) -> dict[str, Any]:
    """Return an inference request for the API's documentation."""
    records = schema.examples
    return {
        "inputs": [
            tensor
            | {
                "shape": [len(records), 1],
                "data": [record.get(tensor["name"]) for record in records],
            }
            for tensor in inputs(schema)
            if any(tensor["name"] in record for record in records)
        ]
    }


def written(predicted: Predicted, question: Question) -> tuple[bytes, int | None]:
    """Return the answer's body, and the length of its JSON if binary data follows it."""
    schema = predicted.served.schema
    found: list[dict[str, Any]] = []
    binary: list[bytes] = []
    for output in outputs(schema):
        name = output["name"]
        if name not in question.outputs:
            continue
        values = getattr(predicted, name)
        is_array = isinstance(values, np.ndarray)
        output["shape"] = values.shape if is_array else (len(values),)
        if question.outputs[name]:
            data = values.tobytes() if is_array else _in_binary(values, output["datatype"])
            binary.append(data)
            output["parameters"] = {"binary_data_size": len(data)}
        else:
            # The protocol writes a tensor flat, row by row.
            output["data"] = values.ravel() if is_array else values
        found.append(output)
    answer = {
        "model_name": MODEL_NAME,
        "model_version": predicted.version,
        **({"id": question.id} if question.id else {}),
        "outputs": found,
    }
    head = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
    return b"".join([head, *binary]), len(head) if binary else None


def _in_binary(labels: Sequence[Any], datatype: str) -> bytes:
    if datatype == "BYTES":
        return b"".join(encoded(label) for label in labels)
    if datatype == "BOOL":
        return np.array(labels, np.bool_).tobytes()
    return np.array(labels, "<i8").tobytes()
