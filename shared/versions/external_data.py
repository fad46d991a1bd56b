"""ONNX's external data: tensors whose values are in another file. No model here may have any.

onnxruntime 1.32 opens such files even for a model that is loaded from bytes: a path relative to the
working directory if the tensor is in a subgraph or an attribute, any path if the tensor is sparse.
"""

from collections.abc import Iterator, Mapping

_KEY = b"location"
"""The key under which a tensor names its file."""

_PARTS: Mapping[str, Mapping[int, str]] = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        **{5: "TensorProto", 10: "TensorProto"},
        **{6: "GraphProto", 11: "GraphProto"},
        **{22: "SparseTensorProto", 23: "SparseTensorProto"},
    },
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
}
"""Message -> those of its fields that hold a tensor or lead to one."""

_EXTERNAL_DATA = 13
"""The number of this field of TensorProto."""


def has_external_data(onnx: bytes) -> bool:
    """Return whether any tensor of the model, used or not, names another file.

    Raises:
        ValueError: the bytes are not a protobuf message.
    """
    # Without the key there is no need to step over a forest's million numbers one by one.
    if _KEY not in onnx:
        return False
    messages = [("ModelProto", memoryview(onnx))]
    while messages:
        name, message = messages.pop()
        for number, content in _submessages(message):
            if name == "TensorProto":
                if number == _EXTERNAL_DATA:
                    return True
            elif number in _PARTS[name]:
                messages.append((_PARTS[name][number], content))
    return False


def _submessages(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield the fields of wire type 2: messages, strings and packed numbers."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        match tag & 7:
            case 0:
                _, at = _varint(message, at)
            case 1:
                at += 8
            case 5:
                at += 4
            case 2:
                length, at = _varint(message, at)
                yield tag >> 3, message[at : at + length]
                at += length
            case _:
                raise ValueError("not an ONNX model")
    if at > len(message):
        raise ValueError("not an ONNX model: it ends too early")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Return a number and the position after it: seven bits a byte, the lowest first."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ValueError("not an ONNX model: it ends too early")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("not an ONNX model")
