"""The messages of the Open Inference Protocol v2: inference requests and their answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson
from numpy.typing import NDArray

from api import limits
from api.serving.predictor import Predicted, too_many_rows
from api.v2.outline import Cut, outlined
from api.v2.tensors import DATATYPES, Reader, Tensor, bad
from shared.errors import BadTensors
from shared.schema.columns import Columns, missing_column
from shared.schema.decoder import REFUSED
from shared.schema.features import FEATURES
from shared.schema.passenger import EXAMPLES

MODEL_NAME = "lifeboat"
HEADER_LENGTH = "inference-header-content-length"
"""The HTTP header of the binary tensor data extension: the length of the JSON before the data."""

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
"""An inference request for the API's documentation."""


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


READERS = {feature.name: Reader(feature) for feature in FEATURES}


def opened(
    body: bytes,
    header_length: str | None,
    max_rows: int,
    readers: Mapping[str, Reader] = READERS,
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


def read(message: Message, max_rows: int, readers: Mapping[str, Reader] = READERS) -> Question:
    """Read the tensors of a request into columns.

    A missing number is NaN, or null in JSON; a missing category is "", or null in JSON. A tensor
    that is left out is missing in every row, unless the record requires it.

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
    return Question(_complete(columns, readers), _wanted(request), request.id or "")


def written(predicted: Predicted, question: Question) -> tuple[bytes, int | None]:
    """Return the answer's body, and the length of its JSON if binary data follows it."""
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


def _wanted(request: _Request) -> dict[str, bool]:
    binary = bool(request.parameters and request.parameters.binary_data_output)
    known = [output["name"] for output in OUTPUTS]
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
