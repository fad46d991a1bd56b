"""An inference request (Open Inference Protocol v2) as its JSON has it."""

from typing import Any, Literal

import msgspec
import numpy as np

from shared.errors import BadTensors
from shared.schema.features import Feature

NUMBERS = {
    **{f"INT{bits}": np.dtype(f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": np.dtype(f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": np.dtype(f"<f{bits // 8}") for bits in (16, 32, 64)},
}
DATATYPES = {"number": (*NUMBERS,), "category": ("BYTES",)}
"""The datatypes of the protocol in which a feature may be sent."""


def value_type(feature: Feature) -> Any:
    """Return the type of a value in the data of a tensor, as msgspec checks it."""
    # A missing category may be "", because binary data has no null.
    value = feature.value_type if feature.kind == "number" else Literal[feature.strings]
    return value if feature.required else value | None


# null is absent, as MLServer's client writes what it leaves out. Parameters that are not named here
# are skipped: as Python objects they would take 30 times the memory of their JSON.


class Parameters(msgspec.Struct):
    # Any: whatever else it is, is refused in words.
    binary_data_size: Any = None


class Tensor(msgspec.Struct):
    """One input as the JSON of a request describes it."""

    name: str
    shape: list[int]
    datatype: str
    parameters: Parameters | None = None
    # Decoded when the feature, and so the type of its values, is known.
    data: msgspec.Raw = msgspec.Raw(b"null")

    def check_shape(self, rows: int) -> None:
        """Raise BadTensors if the tensor's data has `rows` and its shape says otherwise."""
        if self.shape not in ([rows], [rows, 1]):
            shape = str(self.shape[:4])[:80]
            raise bad(self, f"expected shape [{rows}] or [{rows}, 1] for its data, got {shape}")


class OutputParameters(msgspec.Struct):
    binary_data: Any = None
    classification: Any = None


class _Output(msgspec.Struct):
    name: str
    parameters: OutputParameters | None = None


class _RequestParameters(msgspec.Struct):
    binary_data_output: Any = None


class Request(msgspec.Struct):
    inputs: list[Tensor]
    outputs: list[_Output] | None = None
    id: str | None = None
    parameters: _RequestParameters | None = None


def bad(tensor: Tensor, reason: str) -> BadTensors:
    """Return the error about one input. Its name is the client's, so it is shortened."""
    return BadTensors(f"input {tensor.name[:80]}: {reason}")


decode_request = msgspec.json.Decoder(Request).decode
"""JSON -> a request whose tensors have their data undecoded. Raises one of `REFUSED`."""
