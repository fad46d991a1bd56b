"""Tensors as the Open Inference Protocol v2 writes them -> checked columns."""

import re
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from api.serving.predictor import too_many_rows
from shared.errors import BadTensors
from shared.schema.columns import to_column
from shared.schema.decoder import REFUSED
from shared.schema.features import Feature

_NUMBERS = {
    **{f"INT{bits}": np.dtype(f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": np.dtype(f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": np.dtype(f"<f{bits // 8}") for bits in (16, 32, 64)},
}
DATATYPES = {"number": (*_NUMBERS,), "category": ("BYTES",)}
"""The protocol's names of the types that a feature may come in."""


class Tensor(msgspec.Struct):
    """One input as the JSON of a request describes it."""

    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Any] = {}
    # Read once its type is known.
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


def bad(tensor: Tensor, reason: str) -> BadTensors:
    return BadTensors(f"input {tensor.name[:80]}: {reason}")


class Reader:
    """Reads the tensors of one feature, whichever way they are written, and checks each value."""

    def __init__(self, feature: Feature) -> None:
        self.feature = feature
        # A missing category may be "", because binary data has no other way to say so.
        value = feature.value_type if feature.kind == "number" else Literal[feature.strings]
        if not feature.required:
            value = value | None
        flat: Any = list[value]  # type: ignore[valid-type]
        # A tensor of two dimensions may be written row by row.
        rows: Any = list[flat]
        self._decode_flat = msgspec.json.Decoder(flat).decode
        self._decode_rows = msgspec.json.Decoder(rows).decode
        self._categories = {_encoded(category): category for category in feature.strings}
        self._pattern = re.compile(b"|".join(map(re.escape, self._categories)))
        # A comma before each value but the first, and those within a category.
        self._commas = 1 + max((c.count(",") for c in feature.categories), default=0)

    def check_rows(self, tensor: Tensor, max_rows: int) -> None:
        """Raises TooManyRows, before the data is read, where shape or data have too many."""
        rows = tensor.shape[0] if tensor.shape else 0
        if rows > max_rows:
            # A number of any length can stand there.
            raise too_many_rows(min(rows, 2**63), max_rows)
        if tensor.data is not msgspec.UNSET:
            values = bytes(tensor.data).count(b",") + 1
            if values > max_rows * self._commas:
                raise too_many_rows(values, max_rows)

    def from_json(self, tensor: Tensor) -> NDArray[Any]:
        """The `data` of a tensor, flat or row by row, as a column. Raises BadTensors."""
        if tensor.data is msgspec.UNSET:
            raise bad(tensor, "it has neither data nor binary_data_size")
        try:
            try:
                values = self._decode_flat(tensor.data)
            except msgspec.ValidationError as error:
                if "got `array`" not in str(error):
                    raise
                values = [value for row in self._decode_rows(tensor.data) for value in row]
        except msgspec.ValidationError as error:
            where = str(error).rpartition(" - at ")[2]
            raise bad(tensor, f"data{where.strip('`$')} is not {self.feature.expected}") from error
        except REFUSED as error:
            raise bad(tensor, f"its data is no JSON: {error}") from error
        return to_column(self.feature, values)

    def from_binary(self, tensor: Tensor, data: memoryview) -> NDArray[Any]:
        """The binary data of a tensor as a column. Raises BadTensors."""
        if self.feature.kind == "category":
            return self._strings(tensor, bytes(data))
        try:
            # Wide enough to be checked before float32 rounds.
            values = np.frombuffer(data, _NUMBERS[tensor.datatype]).astype(np.float64)
        except ValueError as error:
            raise bad(tensor, f"its data is no whole number of {tensor.datatype} values") from error
        allowed = self.feature.allowed(values)
        if not allowed.all():
            row = int(np.argmin(allowed))
            raise bad(tensor, f"row {row} is not {self.feature.expected}")
        return values.astype(np.float32)

    def _strings(self, tensor: Tensor, data: bytes) -> NDArray[Any]:
        # One pass in C: reading string by string takes ten times as long.
        found = self._pattern.findall(data)
        if sum(map(len, found)) != len(data):
            raise bad(tensor, f"its data is no sequence of strings, each {self.feature.expected}")
        return np.array([self._categories[encoded] for encoded in found], object)


def _encoded(category: str) -> bytes:
    """A string comes behind its length, four bytes, little-endian."""
    content = category.encode()
    return len(content).to_bytes(4, "little") + content
