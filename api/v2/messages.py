"""The messages of the Open Inference Protocol v2: inference requests and their answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import orjson
from numpy.typing import NDArray

from api import limits
from api.serving.bodies import too_many_rows
from api.serving.predictor import Predicted
from api.serving.tensors import DATATYPES, Reader, Tensor, bad, encoded
from api.v2.outline import Cut, outlined
from shared.errors import BadTensors
from shared.schema.columns import Columns, missing_column
from shared.schema.decoder import REFUSED
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


# null is absent, as MLServer's client writes what it leaves out. Parameters that are not named here
# are skipped: as Python objects they would take 30 times the memory of their JSON.


class _OutputParameters(msgspec.Struct):
    binary_data: Any = None
    classification: Any = None


class _Output(msgspec.Struct):
    name: str
    parameters: _OutputParameters | None = None


class _RequestParameters(msgspec.Struct):
    binary_data_output: Any = None


class _Request(msgspec.Struct):
    inputs: list[Tensor]
    outputs: list[_Output] | None = None
    id: str | None = None
    parameters: _RequestParameters | None = None


@dataclass(slots=True)
class Message:
    """An inference request of which no tensor has been read yet."""

    request: _Request
    cut: Cut
    binary: memoryview

    @property
    def rows(self) -> int:
        """Return the most rows that a tensor claims to have."""
        return max([tensor.shape[0] for tensor in self.request.inputs if tensor.shape], default=0)


@dataclass(slots=True)
class Question:
    """An inference request that has been read and checked."""

    columns: Columns
    outputs: dict[str, bool]
    """Name of a requested output -> whether it is sent as binary data."""
    id: str


def opened(
    body: bytes, header_length: str | None, max_rows: int, readers: Mapping[str, Reader]
) -> Message:
    """Read a request's body, with the value of its `HEADER_LENGTH`, up to the tensors' data.

    Raises:
        BadTensors: the JSON is not an inference request.
    """
    length = len(body) if header_length is None else _length(header_length, len(body))
    text, cut = body[:length], Cut()
    if length > limits.INLINE_BYTES:
        text, cut = outlined(text, len(readers), max_rows)
    try:
        request = _decode_request(text)
    except REFUSED as error:
        raise BadTensors(f"the body is not an inference request: {error}") from error
    return Message(request, cut, memoryview(body)[length:])


def read(
    message: Message, max_rows: int, readers: Mapping[str, Reader], known: Sequence[str]
) -> Question:
    """Read the tensors of a request into columns.

    A missing number is NaN, or null in JSON; a missing category is "", or null in JSON. A tensor
    that is left out is missing in every row, unless the record requires it. `known` are the names
    of the outputs.

    Raises:
        BadTensors: a tensor is wrong; the message names the tensor, the row and the reason.
        TooManyRows: a tensor has, or claims to have, more than `max_rows`.
    """
    binary = message.binary
    cut = {**message.cut}
    columns: dict[str, NDArray[Any]] = {}
    for tensor in message.request.inputs:
        reader = _reader(tensor, readers, columns)
        if tensor.shape and tensor.shape[0] > max_rows:
            # A client can write a number of any length.
            raise too_many_rows(max_rows, min(tensor.shape[0], 2**63))
        parameters = tensor.parameters
        if parameters is None or parameters.binary_data_size is None:
            data = bytes(tensor.data)
            values = reader.from_json(tensor, cut.pop(data, data), max_rows)
        else:
            size = _size(tensor, parameters.binary_data_size, len(binary))
            values, binary = reader.from_binary(tensor, binary[:size]), binary[size:]
        tensor.check_shape(len(values))
        columns[tensor.name] = values.reshape(-1, 1)
    if cut:
        raise BadTensors("expected lists called data in inputs alone, and one in each")
    if binary:
        raise BadTensors(
            "expected the body to end with the data of the last tensor, "
            f"got {len(binary)} more bytes; check each binary_data_size"
        )
    request = message.request
    return Question(_complete(columns, readers), _wanted(request, known), request.id or "")


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
        described = output | {"shape": list(np.shape(values))}
        if question.outputs[name]:
            binary.append(_in_binary(values, output["datatype"]))
            described["parameters"] = {"binary_data_size": len(binary[-1])}
        else:
            # The protocol writes a tensor flat, row by row.
            described["data"] = values.ravel() if isinstance(values, np.ndarray) else values
        found.append(described)
    answer = {
        "model_name": MODEL_NAME,
        "model_version": predicted.version,
        **({"id": question.id} if question.id else {}),
        "outputs": found,
    }
    head = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
    return b"".join([head, *binary]), len(head) if binary else None


def _in_binary(values: Any, datatype: str) -> bytes:
    if datatype == "BYTES":
        return b"".join(encoded(value) for value in values)
    if datatype == "BOOL":
        return np.array(values, np.bool_).tobytes()
    if datatype == "INT64":
        return np.asarray(values, "<i8").tobytes()
    content: bytes = values.tobytes()
    return content


_LONGEST_LENGTH = 20
"""Digits of a length that are read; int() refuses very many, zeros too."""

_decode_request = msgspec.json.Decoder(_Request).decode


def _length(header: str, size: int) -> int:
    """Return the length of the JSON. Raises BadTensors if the header does not say one."""
    is_short = len(header) <= _LONGEST_LENGTH
    if not (is_short and header.isascii() and header.isdigit()) or int(header) > size:
        raise BadTensors(
            "Inference-Header-Content-Length: expected the length of the JSON in bytes, "
            f"a whole number of at most {size}, the length of the body"
        )
    return int(header)


def _size(tensor: Tensor, size: object, most: int) -> int:
    """Return the length of a tensor's binary data. Raises BadTensors if it is not one."""
    if type(size) is not int or not 0 <= size <= most:
        raise bad(
            tensor,
            f"expected binary_data_size to be a whole number of at most {most}, "
            "the bytes that the body still holds",
        )
    return size


def _reader(tensor: Tensor, readers: Mapping[str, Reader], seen: Columns) -> Reader:
    reader = readers.get(tensor.name)
    if reader is None:
        raise bad(tensor, f"unknown input; the inputs are {', '.join(readers)}")
    if tensor.name in seen:
        raise bad(tensor, "expected one tensor, got two; send each input once")
    datatypes = DATATYPES[reader.feature.kind]
    if tensor.datatype not in datatypes:
        raise bad(tensor, f"expected its datatype to be one of {', '.join(datatypes)}")
    return reader


def _complete(columns: dict[str, NDArray[Any]], readers: Mapping[str, Reader]) -> Columns:
    """Return the columns, and one of missing values for each tensor that was left out."""
    features = [reader.feature for reader in readers.values()]
    for feature in features:
        if feature.required and feature.name not in columns:
            raise BadTensors(f"input {feature.name}: expected a tensor, got none; it is required")
    rows = {name: len(column) for name, column in columns.items()}
    if len({*rows.values()}) > 1:
        raise BadTensors(f"expected as many rows in each input, got {rows}")
    length = max(rows.values(), default=0)
    absent = (feature for feature in features if feature.name not in columns)
    return columns | {feature.name: missing_column(feature, length) for feature in absent}


def _wanted(request: _Request, known: Sequence[str]) -> dict[str, bool]:
    binary = bool(request.parameters and request.parameters.binary_data_output)
    wanted: dict[str, bool] = {}
    for output in request.outputs or ():
        if output.name not in known:
            raise BadTensors(
                f"output {output.name[:80]}: unknown output; the outputs are {', '.join(known)}"
            )
        asked = output.parameters or _OutputParameters()
        if asked.classification is not None:
            raise BadTensors(f"output {output.name}: the classification extension is not supported")
        wanted[output.name] = binary if asked.binary_data is None else bool(asked.binary_data)
    return wanted or dict.fromkeys(known, binary)
