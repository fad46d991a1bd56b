"""The messages of the Open Inference Protocol v2: what is asked, and what is answered."""

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import orjson
from numpy.typing import NDArray

from api.serving.predictor import Predicted
from api.v2.tensors import DATATYPES, Tensor, bad, check_rows, from_binary, from_json
from shared.errors import BadTensors
from shared.schema.columns import Columns
from shared.schema.decoder import REFUSED
from shared.schema.features import FEATURES, Feature
from shared.schema.passenger import EXAMPLES

MODEL_NAME = "lifeboat"
HEADER_LENGTH = "inference-header-content-length"
"""The HTTP header of the binary tensor data extension: where the JSON ends and the data begins."""

INPUTS: list[dict[str, Any]] = [
    {"name": f.name, "datatype": "FP32" if f.kind == "number" else "BYTES", "shape": [-1, 1]}
    for f in FEATURES
]
OUTPUTS: list[dict[str, Any]] = [
    {"name": "label", "datatype": "INT64", "shape": [-1]},
    {"name": "probabilities", "datatype": "FP32", "shape": [-1]},
]

EXAMPLE = {
    "inputs": [
        tensor | {"shape": [len(EXAMPLES), 1], "data": [e.get(tensor["name"]) for e in EXAMPLES]}
        for tensor in INPUTS
        if any(tensor["name"] in example for example in EXAMPLES)
    ]
}
"""An inference request."""


class _Output(msgspec.Struct):
    name: str
    parameters: dict[str, Any] = {}


class _Request(msgspec.Struct):
    inputs: list[Tensor]
    outputs: list[_Output] = []
    id: str = ""
    parameters: dict[str, Any] = {}


@dataclass(frozen=True)
class Question:
    """An inference request that has been read and checked."""

    columns: Columns
    outputs: dict[str, bool]
    """Name of a wanted output -> whether as binary data."""
    id: str


def read(body: bytes, header_length: str | None, max_rows: int) -> Question:
    """A request's body, and the value of its `HEADER_LENGTH`, as columns.

    A number that is missing is NaN (in JSON also null), a category that is missing is "" (or null);
    so is a whole tensor that is left out, unless the record requires it.

    Raises:
        BadTensors: with the tensor, the row and the reason.
        TooManyRows: a tensor has, or claims to have, more than `max_rows`.
    """
    length = len(body) if header_length is None else _length(header_length, len(body))
    try:
        request = _decode_request(body[:length])
    except REFUSED as error:
        raise BadTensors(f"the body is no inference request: {error}") from error
    binary = memoryview(body)[length:]
    columns: dict[str, NDArray[Any]] = {}
    for tensor in request.inputs:
        feature = _feature(tensor, columns)
        check_rows(tensor, feature, max_rows)
        size = tensor.parameters.get("binary_data_size")
        if size is None:
            values = from_json(tensor, feature)
        else:
            if type(size) is not int or not 0 <= size <= len(binary):
                raise bad(tensor, "binary_data_size is more than the body holds")
            values, binary = from_binary(tensor, feature, binary[:size]), binary[size:]
        if tensor.shape not in ([len(values)], [len(values), 1]):
            shape = str(tensor.shape[:4])[:80]
            raise bad(tensor, f"{len(values)} values do not make the shape {shape}")
        columns[feature.name] = values.reshape(-1, 1)
    if binary:
        raise BadTensors(f"{len(binary)} bytes of binary data belong to no tensor")
    return Question(_complete(columns), _wanted(request), request.id)


def written(predicted: Predicted, question: Question) -> tuple[bytes, int | None]:
    """The answer's body, and the length of its JSON where binary data follows."""
    tensors: dict[str, NDArray[Any]] = {
        "label": predicted.labels,
        "probabilities": predicted.probabilities,
    }
    outputs: list[dict[str, Any]] = []
    binary: list[bytes] = []
    for output in OUTPUTS:
        name = output["name"]
        if name not in question.outputs:
            continue
        values = tensors[name]
        described = output | {"shape": list(values.shape)}
        if question.outputs[name]:
            binary.append(values.tobytes())
            described["parameters"] = {"binary_data_size": len(binary[-1])}
        else:
            described["data"] = values
        outputs.append(described)
    answer = {
        "model_name": MODEL_NAME,
        "model_version": predicted.version,
        **({"id": question.id} if question.id else {}),
        "outputs": outputs,
    }
    head = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
    return b"".join([head, *binary]), len(head) if binary else None


_decode_request = msgspec.json.Decoder(_Request).decode


def _length(header: str, size: int) -> int:
    if not header.isascii() or not header.isdigit() or not int(header[:20]) <= size:
        raise BadTensors("Inference-Header-Content-Length is no length within the body")
    return int(header)


def _feature(tensor: Tensor, seen: Columns) -> Feature:
    for feature in FEATURES:
        if feature.name == tensor.name:
            break
    else:
        raise bad(tensor, f"no such input; there are {', '.join(f.name for f in FEATURES)}")
    if tensor.name in seen:
        raise bad(tensor, "it is given twice")
    if tensor.datatype not in DATATYPES[feature.kind]:
        raise bad(tensor, f"its datatype must be one of {', '.join(DATATYPES[feature.kind])}")
    return feature


def _complete(columns: dict[str, NDArray[Any]]) -> Columns:
    """With a column of missing values for each tensor that was left out."""
    for feature in FEATURES:
        if feature.required and feature.name not in columns:
            raise BadTensors(f"input {feature.name}: it is required")
    rows = {name: len(column) for name, column in columns.items()}
    if len({*rows.values()}) > 1:
        raise BadTensors(f"the inputs have different numbers of rows: {rows}")
    shape = (max(rows.values(), default=0), 1)
    for feature in FEATURES:
        if feature.name not in columns:
            absent, kind = (np.nan, np.float32) if feature.kind == "number" else ("", object)
            columns[feature.name] = np.full(shape, absent, kind)
    return columns


def _wanted(request: _Request) -> dict[str, bool]:
    binary = bool(request.parameters.get("binary_data_output", False))
    known = [output["name"] for output in OUTPUTS]
    for output in request.outputs:
        if output.name not in known:
            raise BadTensors(
                f"output {output.name[:80]}: no such output; there are {', '.join(known)}"
            )
        if "classification" in output.parameters:
            raise BadTensors(f"output {output.name}: the classification extension is not offered")
    if not request.outputs:
        return dict.fromkeys(known, binary)
    return {o.name: bool(o.parameters.get("binary_data", binary)) for o in request.outputs}
