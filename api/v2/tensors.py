"""Tensors as the Open Inference Protocol v2 writes them -> checked columns."""

import re
from collections.abc import Callable
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from api.serving.predictor import too_many_rows
from shared.errors import BadTensors
from shared.schema.columns import to_column
from shared.schema.decoder import REFUSED, value_type
from shared.schema.features import FEATURES, Feature

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


_Decode = Callable[[Any], list[Any]]


def _decoders(feature: Feature) -> tuple[_Decode, _Decode]:
    """Of a list of values, and of rows of them: a tensor of two dimensions may be written so."""
    value = value_type(feature)
    if not feature.required:
        value = value | (None if feature.kind == "number" else Literal[""] | None)
    flat: Any = list[value]  # type: ignore[valid-type]
    rows: Any = list[flat]
    return msgspec.json.Decoder(flat).decode, msgspec.json.Decoder(rows).decode


_DECODERS = {feature.name: _decoders(feature) for feature in FEATURES}


def check_rows(tensor: Tensor, feature: Feature, max_rows: int) -> None:
    """Raises TooManyRows, before the data is read, where shape or data have too many."""
    rows = tensor.shape[0] if tensor.shape else 0
    if rows > max_rows:
        # A number of any length can stand there.
        raise too_many_rows(min(rows, 2**63), max_rows)
    if tensor.data is not msgspec.UNSET:
        # A comma before each value but the first, and those within a category.
        values = bytes(tensor.data).count(b",") + 1
        if values > max_rows * (1 + max((c.count(",") for c in feature.categories), default=0)):
            raise too_many_rows(values, max_rows)


def from_json(tensor: Tensor, feature: Feature) -> NDArray[Any]:
    """The `data` of a tensor, flat or row by row, as a column. Raises BadTensors."""
    if tensor.data is msgspec.UNSET:
        raise bad(tensor, "it has neither data nor binary_data_size")
    decode_flat, decode_rows = _DECODERS[feature.name]
    try:
        try:
            values = decode_flat(tensor.data)
        except msgspec.ValidationError as error:
            if "got `array`" not in str(error):
                raise
            values = [value for row in decode_rows(tensor.data) for value in row]
    except msgspec.ValidationError as error:
        where = str(error).rpartition(" - at ")[2]
        raise bad(tensor, f"data{where.strip('`$')} is not {feature.expected}") from error
    except REFUSED as error:
        raise bad(tensor, f"its data is no JSON: {error}") from error
    return to_column(feature, values)


def from_binary(tensor: Tensor, feature: Feature, data: memoryview) -> NDArray[Any]:
    """The binary data of a tensor as a column. Raises BadTensors."""
    if feature.kind == "category":
        return _categories(tensor, feature, bytes(data))
    try:
        values = np.frombuffer(data, _NUMBERS[tensor.datatype]).astype(np.float64)
    except ValueError as error:
        raise bad(tensor, f"its data is no whole number of {tensor.datatype} values") from error
    sound = np.isfinite(values)
    if feature.minimum is not None:
        sound &= values >= feature.minimum
    if feature.maximum is not None:
        sound &= values <= feature.maximum
    if feature.whole:
        sound &= np.floor(values) == values
    if not feature.required:
        sound |= np.isnan(values)
    if not sound.all():
        raise bad(tensor, f"row {int(np.argmin(sound))} is not {feature.expected}")
    return values.astype(np.float32)


def _encoded(category: str) -> bytes:
    """A string comes behind its length, four bytes, little-endian."""
    content = category.encode()
    return len(content).to_bytes(4, "little") + content


_CATEGORIES = {
    feature.name: {
        _encoded(category): category
        for category in (*feature.categories, *(() if feature.required else ("",)))
    }
    for feature in FEATURES
    if feature.kind == "category"
}
_PATTERNS = {
    name: re.compile(b"|".join(re.escape(encoded) for encoded in categories))
    for name, categories in _CATEGORIES.items()
}


def _categories(tensor: Tensor, feature: Feature, data: bytes) -> NDArray[Any]:
    # One pass in C: reading string by string takes ten times as long.
    found = _PATTERNS[feature.name].findall(data)
    if sum(map(len, found)) != len(data):
        raise bad(tensor, f"its data is no sequence of strings, each {feature.expected}")
    categories = _CATEGORIES[feature.name]
    return np.array([categories[encoded] for encoded in found], object)
