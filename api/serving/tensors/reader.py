"""The tensors of an inference request (Open Inference Protocol v2), read into checked columns.

The rest of the protocol is in `api/v2/`. The readers are here, because each served model has its
own.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import chain
from struct import Struct
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from api.serving.bodies import too_many_rows
from api.serving.tensors.request import NUMBERS, Tensor, bad, value_type
from shared.schema.columns import Columns, column_of
from shared.schema.decoder import REFUSED
from shared.schema.features import Feature

_FEW = 8
"""So many values are read and checked sooner one by one than as an array."""

_LETTERS = {"i": " bh i   q", "u": " BH I   Q", "f": "  e f   d"}
"""For each kind of number the letter that `struct` has for it, by its size in bytes."""

_FORMS = {
    datatype: [Struct(f"<{rows}{_LETTERS[dtype.kind][dtype.itemsize]}") for rows in range(_FEW + 1)]
    for datatype, dtype in NUMBERS.items()
}
"""How that many numbers lie in binary data."""

Values = list[Any] | NDArray[Any]
"""The checked values of a tensor: as JSON has them, or as binary data has them."""


class Reader:
    """Reads tensors of one feature, as JSON or as binary data, and checks each value."""

    def __init__(self, feature: Feature) -> None:
        self.feature = feature
        flat: Any = list[value_type(feature)]  # type: ignore[misc]
        # The data of a tensor with two dimensions may be written row by row.
        rows: Any = list[flat]
        self._decode_flat = msgspec.json.Decoder(flat).decode
        self._decode_rows = msgspec.json.Decoder(rows).decode
        self._to_column = column_of(feature)
        self._is_allowed = feature.number_check()
        self._is_category = feature.kind == "category"
        self._categories = {encoded(category): category for category in feature.strings}
        self._longest = max(map(len, self._categories), default=0)
        known = b"|".join(map(re.escape, self._categories))
        self._known = re.compile(known)
        # Possessive, so that nothing is kept to try again. It stops where a string is unknown; a
        # search would go on behind it, which takes 300 ms for 8 MB.
        self._all_known = re.compile(b"(?:%s)*+" % known)
        # How many commas a value can add: one before it, and those within a category.
        self._commas = 1 + max((c.count(",") for c in feature.categories), default=0)

    def from_json(self, tensor: Tensor, data: bytes, max_rows: int) -> list[Any]:
        """Return the values of a JSON list, flat or row by row; None is missing.

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
                found: list[Any] = self._decode_flat(data)
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
        return found

    def from_binary(self, tensor: Tensor, data: memoryview) -> Values:
        """Return the values of a tensor's binary data. Raises BadTensors.

        The shape has been checked against `max_rows`, and the length of the data is checked against
        the shape first: one value can be a byte, and takes eight while it is checked.
        """
        if self.feature.kind == "category":
            return self._strings(tensor, data)
        dtype = NUMBERS[tensor.datatype]
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

    def few(self, datatype: str, data: bytes, rows: int) -> list[Any] | None:
        """Return the values of a few rows of binary data; None if they are many, or not sound."""
        if not 0 <= rows <= _FEW:
            return None
        if self._is_category:
            if rows == 1:
                one = self._categories.get(data)
                return None if one is None else [one]
            if not self._all_known.fullmatch(data):
                return None
            found = self._known.findall(data)
            return [self._categories[one] for one in found] if len(found) == rows else None
        form = _FORMS[datatype][rows]
        if len(data) != form.size:
            return None
        values = [*map(float, form.unpack(data))]
        for value in values:
            if not self._is_allowed(value):
                return None
        return values

    def column(self, parts: Sequence[Values]) -> NDArray[Any]:
        """Return the column of checked values, one part behind the other."""
        lists = [part for part in parts if isinstance(part, list)]
        if len(lists) == len(parts):
            # One call of numpy for all: for a few values, each call takes longer than the values.
            return self._to_column([*chain.from_iterable(lists)])
        return np.concatenate(
            [
                self._to_column(part) if isinstance(part, list) else part.reshape(-1, 1)
                for part in parts
            ]
        )

    def _strings(self, tensor: Tensor, data: memoryview) -> list[str]:
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
        return [self._categories[encoded] for encoded in found]


def columns_of(parts: Sequence[Mapping[str, Values]], readers: Mapping[str, Reader]) -> Columns:
    """Return the tensors of several requests as one set of columns, one behind the other."""
    return {name: reader.column([part[name] for part in parts]) for name, reader in readers.items()}


def encoded(category: str) -> bytes:
    """Return a string as binary data has it: preceded by its length, four bytes, little-endian."""
    content = category.encode()
    return len(content).to_bytes(4, "little") + content
