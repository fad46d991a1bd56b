"""The tensors of an inference request (Open Inference Protocol v2), read into checked columns.

The rest of the protocol is in `api/v2/`. The readers are here, because each served model has its
own.
"""

import re
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from api.serving.bodies import too_many_rows
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


class _Parameters(msgspec.Struct):
    # Any: whatever else it is, is refused in words.
    binary_data_size: Any = None


class Tensor(msgspec.Struct):
    """One input as the JSON of a request describes it."""

    name: str
    shape: list[int]
    datatype: str
    parameters: _Parameters | None = None
    # Decoded when the feature, and so the type of its values, is known.
    data: msgspec.Raw = msgspec.Raw(b"null")

    def check_shape(self, rows: int) -> None:
        """Raise BadTensors if the tensor's data has `rows` and its shape says otherwise."""
        if self.shape not in ([rows], [rows, 1]):
            shape = str(self.shape[:4])[:80]
            raise bad(self, f"expected shape [{rows}] or [{rows}, 1] for its data, got {shape}")


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
        self._categories = {encoded(category): category for category in feature.strings}
        self._longest = max(map(len, self._categories), default=0)
        known = b"|".join(map(re.escape, self._categories))
        self._known = re.compile(known)
        # Possessive, so that nothing is kept to try again. It stops where a string is unknown; a
        # search would go on behind it, which takes 300 ms for 8 MB.
        self._all_known = re.compile(b"(?:%s)*+" % known)
        # How many commas a value can add: one before it, and those within a category.
        self._commas = 1 + max((c.count(",") for c in feature.categories), default=0)

    def from_json(self, tensor: Tensor, data: bytes, max_rows: int) -> NDArray[Any]:
        """Return a JSON list, flat or row by row, as a column.

        Raises:
            BadTensors: The data is not a list of sound values.
            TooManyRows: It has more than `max_rows`; it has not been decoded.
        """
        if data == b"null":
            raise bad(tensor, "expected data or binary_data_size, got neither")
        values = data.count(b",") + 1
        if values > max_rows * self._commas:
            raise too_many_rows(max_rows, values)
        try:
            try:
                found = self._decode_flat(data)
            except msgspec.ValidationError as error:
                if "got `array`" not in str(error):
                    raise
                found = [value for row in self._decode_rows(data) for value in row]
        except msgspec.ValidationError as error:
            # msgspec names no place if all of the data is wrong.
            _, has_place, place = str(error).rpartition(" - at ")
            where = place.strip("`$") if has_place else ""
            raise bad(tensor, f"data{where}: expected {self.feature.expected}") from error
        except REFUSED as error:
            raise bad(tensor, f"data: expected JSON: {error}") from error
        return self._to_column(found)

    def from_binary(self, tensor: Tensor, data: memoryview) -> NDArray[Any]:
        """Return the binary data of a tensor as a column. Raises BadTensors.

        The shape has been checked against `max_rows`, and the length of the data is checked against
        the shape first: one value can be a byte, and takes eight while it is checked.
        """
        if self.feature.kind == "category":
            return self._strings(tensor, data)
        dtype = _NUMBERS[tensor.datatype]
        rows, rest = divmod(len(data), dtype.itemsize)
        if rest:
            raise bad(
                tensor,
                f"expected a multiple of {dtype.itemsize} bytes, the size of one {tensor.datatype} "
                f"value; got {len(data)} bytes",
            )
        tensor.check_shape(rows)
        # float64, because the values must be checked before they are rounded to float32.
        values = np.frombuffer(data, dtype).astype(np.float64)
        allowed = self.feature.allowed(values)
        if not allowed.all():
            row = int(np.argmin(allowed))
            raise bad(tensor, f"row {row}: expected {self.feature.expected}")
        return values.astype(np.float32)

    def _strings(self, tensor: Tensor, data: memoryview) -> NDArray[Any]:
        rows = tensor.shape[0] if tensor.shape else 0
        most = max(rows, 0) * self._longest
        if len(data) > most:
            raise bad(
                tensor,
                f"expected at most {most} bytes for the rows of its shape, got {len(data)}; "
                "check shape and binary_data_size",
            )
        # Two passes in C: to read string by string takes ten times as long.
        if not self._all_known.fullmatch(data):
            raise bad(
                tensor,
                "expected a sequence of strings, each preceded by its length in four bytes, "
                f"little-endian, and each {self.feature.expected}",
            )
        found = self._known.findall(data)
        return np.array([self._categories[encoded] for encoded in found], object)


def encoded(category: str) -> bytes:
    """Return a string as binary data has it: preceded by its length, four bytes, little-endian."""
    content = category.encode()
    return len(content).to_bytes(4, "little") + content
