"""The tensors of an inference request (Open Inference Protocol v2), read into checked columns."""

import re
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from api.serving.predictor import too_many_rows
from shared.errors import BadTensors
from shared.schema.columns import column_of
from shared.schema.decoder import REFUSED
from shared.schema.features import Feature

_NUMBERS = {
    **{f"INT{bits}": np.dtype(f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": np.dtype(f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": np.dtype(f"<f{bits // 8}") for bits in (16, 32, 64)},
}
DATATYPES = {"number": (*_NUMBERS,), "category": ("BYTES",)}
"""The datatypes of the protocol in which a feature may be sent."""


class Tensor(msgspec.Struct):
    """One input as the JSON of a request describes it."""

    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Any] = {}
    # Decoded when the feature, and so the type of its values, is known.
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


def bad(tensor: Tensor, reason: str) -> BadTensors:
    """Return the error about one input. Its name is the client's, so it is shortened."""
    return BadTensors(f"input {tensor.name[:80]}: {reason}")


class Reader:
    """Reads tensors of one feature, as JSON or as binary data, and checks each value."""

    def __init__(self, feature: Feature) -> None:
        self.feature = feature
        # A missing category may be "", because binary data has no null.
        value = feature.value_type if feature.kind == "number" else Literal[feature.strings]
        if not feature.required:
            value = value | None
        flat: Any = list[value]  # type: ignore[valid-type]
        # The data of a tensor with two dimensions may be written row by row.
        rows: Any = list[flat]
        self._decode_flat = msgspec.json.Decoder(flat).decode
        self._decode_rows = msgspec.json.Decoder(rows).decode
        self._to_column = column_of(feature)
        self._categories = {_encoded(category): category for category in feature.strings}
        self._pattern = re.compile(b"|".join(map(re.escape, self._categories)))
        # How many commas a value can add: one before it, and those within a category.
        self._commas = 1 + max((c.count(",") for c in feature.categories), default=0)

    def check_rows(self, tensor: Tensor, max_rows: int) -> None:
        """Raise TooManyRows if the shape or the data has too many, before the data is decoded."""
        rows = tensor.shape[0] if tensor.shape else 0
        if rows > max_rows:
            # A client can write a number of any length.
            raise too_many_rows(min(rows, 2**63), max_rows)
        if tensor.data is not msgspec.UNSET:
            values = bytes(tensor.data).count(b",") + 1
            if values > max_rows * self._commas:
                raise too_many_rows(values, max_rows)

    def from_json(self, tensor: Tensor) -> NDArray[Any]:
        """Return the `data` of a tensor, flat or row by row, as a column. Raises BadTensors."""
        if tensor.data is msgspec.UNSET:
            raise bad(tensor, "expected data or binary_data_size, got neither")
        try:
            try:
                values = self._decode_flat(tensor.data)
            except msgspec.ValidationError as error:
                if "got `array`" not in str(error):
                    raise
                values = [value for row in self._decode_rows(tensor.data) for value in row]
        except msgspec.ValidationError as error:
            # msgspec names no place if all of the data is wrong.
            _, found, place = str(error).rpartition(" - at ")
            where = place.strip("`$") if found else ""
            raise bad(tensor, f"data{where}: expected {self.feature.expected}") from error
        except REFUSED as error:
            raise bad(tensor, f"data: expected JSON: {error}") from error
        return self._to_column(values)

    def from_binary(self, tensor: Tensor, data: memoryview) -> NDArray[Any]:
        """Return the binary data of a tensor as a column. Raises BadTensors."""
        if self.feature.kind == "category":
            return self._strings(tensor, bytes(data))
        dtype = _NUMBERS[tensor.datatype]
        try:
            # float64, because the values must be checked before they are rounded to float32.
            values = np.frombuffer(data, dtype).astype(np.float64)
        except ValueError as error:
            raise bad(
                tensor,
                f"expected a multiple of {dtype.itemsize} bytes, the size of one {tensor.datatype} "
                f"value; got {len(data)} bytes",
            ) from error
        allowed = self.feature.allowed(values)
        if not allowed.all():
            row = int(np.argmin(allowed))
            raise bad(tensor, f"row {row}: expected {self.feature.expected}")
        return values.astype(np.float32)

    def _strings(self, tensor: Tensor, data: bytes) -> NDArray[Any]:
        # One pass in C: to read string by string takes ten times as long.
        found = self._pattern.findall(data)
        if sum(map(len, found)) != len(data):
            raise bad(
                tensor,
                "expected a sequence of strings, each preceded by its length in four bytes, "
                f"little-endian, and each {self.feature.expected}",
            )
        return np.array([self._categories[encoded] for encoded in found], object)


def _encoded(category: str) -> bytes:
    """Return a string as binary data has it: preceded by its length, four bytes, little-endian."""
    content = category.encode()
    return len(content).to_bytes(4, "little") + content
