"""What an inference request asks: its tensors, read and checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api import limits
from api.serving.bodies import too_many_rows
from api.serving.tensors.reader import Reader, Values
from api.serving.tensors.request import (
    DATATYPES,
    OutputParameters,
    Request,
    Tensor,
    bad,
    decode_request,
)
from api.serving.tensors.small import SmallRequests
from api.v2.outline import Cut, outlined
from shared.errors import BadTensors
from shared.schema.columns import missing_column
from shared.schema.decoder import REFUSED


@dataclass(slots=True)
class Message:
    """An inference request of which no tensor has been read yet."""

    request: Request
    cut: Cut
    binary: memoryview

    @property
    def rows(self) -> int:
        """Return the most rows that a tensor claims to have."""
        return max([tensor.shape[0] for tensor in self.request.inputs if tensor.shape], default=0)


@dataclass(slots=True)
class Question:
    """An inference request that has been read and checked."""

    values: Mapping[str, Values]
    """Each input's name -> its checked values."""
    rows: int
    outputs: dict[str, bool]
    """Name of a requested output -> whether it is sent as binary data."""
    id: str


def small(
    body: bytes,
    header_length: str | None,
    max_rows: int,
    requests: SmallRequests,
    readers: Mapping[str, Reader],
    known: Sequence[str],
) -> Question | None:
    """Read a request in one call of the decoder, if all its tensors are sound.

    Says nothing that `read` would not say of the same request; None if `read` is to say it.

    Raises:
        BadTensors: the request asks for what is not there, or leaves out what is required.
    """
    length = len(body) if header_length is None else _length(header_length, len(body))
    found = requests.read(body[:length], body[length:])
    if found is None or found[2] > max_rows:
        return None
    request, lists, rows = found
    values: dict[str, Values] = {**lists}
    if len(values) < len(readers):
        _complete(values, readers)
    return Question(values, rows, _wanted(request, known), request.id or "")


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
        request = decode_request(text)
    except REFUSED as error:
        raise BadTensors(f"the body is not an inference request: {error}") from error
    return Message(request, cut, memoryview(body)[length:])


def read(
    message: Message, max_rows: int, readers: Mapping[str, Reader], known: Sequence[str]
) -> Question:
    """Read the tensors of a request, and check their values.

    A missing number is NaN, or null in JSON; a missing category is "", or null in JSON. A tensor
    that is left out is missing in every row, unless the record requires it. `known` are the names
    of the outputs.

    Raises:
        BadTensors: a tensor is wrong; the message names the tensor, the row and the reason.
        TooManyRows: a tensor has, or claims to have, more than `max_rows`.
    """
    binary = message.binary
    cut = {**message.cut}
    found: dict[str, Values] = {}
    for tensor in message.request.inputs:
        reader = _reader(tensor, readers, found)
        if tensor.shape and tensor.shape[0] > max_rows:
            # A client can write a number of any length.
            raise too_many_rows(max_rows, min(tensor.shape[0], 2**63))
        parameters = tensor.parameters
        values: Values
        if parameters is None or parameters.binary_data_size is None:
            data = bytes(tensor.data)
            values = reader.from_json(tensor, cut.pop(data, data), max_rows)
        else:
            size = _size(tensor, parameters.binary_data_size, len(binary))
            values, binary = reader.from_binary(tensor, binary[:size]), binary[size:]
        tensor.check_shape(len(values))
        found[tensor.name] = values
    if cut:
        raise BadTensors("expected lists called data in inputs alone, and one in each")
    if binary:
        raise BadTensors(
            "expected the body to end with the data of the last tensor, "
            f"got {len(binary)} more bytes; check each binary_data_size"
        )
    request = message.request
    rows = _complete(found, readers)
    return Question(found, rows, _wanted(request, known), request.id or "")


_LONGEST_LENGTH = 20
"""Digits of a length that are read; int() refuses very many, zeros too."""


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


def _reader(tensor: Tensor, readers: Mapping[str, Reader], seen: Mapping[str, Values]) -> Reader:
    reader = readers.get(tensor.name)
    if reader is None:
        raise bad(tensor, f"unknown input; the inputs are {', '.join(readers)}")
    if tensor.name in seen:
        raise bad(tensor, "expected one tensor, got two; send each input once")
    datatypes = DATATYPES[reader.feature.kind]
    if tensor.datatype not in datatypes:
        raise bad(tensor, f"expected its datatype to be one of {', '.join(datatypes)}")
    return reader


def _complete(found: dict[str, Values], readers: Mapping[str, Reader]) -> int:
    """Add missing values for each tensor that was left out; return the number of rows."""
    if not found.keys() >= readers.keys():
        for name, reader in readers.items():
            if reader.feature.required and name not in found:
                raise BadTensors(f"input {name}: expected a tensor, got none; it is required")
    rows = {name: len(values) for name, values in found.items()}
    if len({*rows.values()}) > 1:
        raise BadTensors(f"expected as many rows in each input, got {rows}")
    length = max(rows.values(), default=0)
    for name, reader in readers.items():
        if name not in found:
            found[name] = missing_column(reader.feature, length)
    return length


def _wanted(request: Request, known: Sequence[str]) -> dict[str, bool]:
    binary = bool(request.parameters and request.parameters.binary_data_output)
    wanted: dict[str, bool] = {}
    for output in request.outputs or ():
        if output.name not in known:
            raise BadTensors(
                f"output {output.name[:80]}: unknown output; the outputs are {', '.join(known)}"
            )
        asked = output.parameters or OutputParameters()
        if asked.classification is not None:
            raise BadTensors(f"output {output.name}: the classification extension is not supported")
        wanted[output.name] = binary if asked.binary_data is None else bool(asked.binary_data)
    return wanted or dict.fromkeys(known, binary)
