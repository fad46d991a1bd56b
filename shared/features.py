"""The model's features, read off the one definition of a record, and records as columns."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, TypeAdapter

from shared.passenger import Passenger

Columns = Mapping[str, NDArray[Any]]
"""Feature name -> array of shape (rows, 1): float32 for numbers, with NaN for a missing one;
Python strings (dtype object) for categories, with "" for a missing one."""


class Feature(BaseModel):
    """One field of a record, and one input tensor of the model."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: Literal["number", "category"]
    required: bool
    whole: bool = False
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str, ...] = ()


def _feature(name: str, schema: dict[str, Any], required: bool) -> Feature:
    choices = [choice for choice in schema.get("anyOf", [schema]) if choice.get("type") != "null"]
    (value,) = choices
    kind: Literal["number", "category"]
    match value["type"]:
        case "number" | "integer":
            kind = "number"
        case "string":
            kind = "category"
        case other:
            raise TypeError(f"{name} is of type {other}; a feature is a number or a category")
    return Feature(
        name=name,
        kind=kind,
        required=required,
        whole=value["type"] == "integer",
        minimum=value.get("minimum"),
        maximum=value.get("maximum"),
        categories=tuple(value.get("enum", ())),
    )


def _features() -> tuple[Feature, ...]:
    schema = TypeAdapter(Passenger).json_schema()
    required = schema["required"]
    return tuple(_feature(name, s, name in required) for name, s in schema["properties"].items())


FEATURES = _features()
"""In the order in which the record lists its fields."""


def to_columns(records: Sequence[Mapping[str, Any]]) -> Columns:
    """Validated records as the model takes them; no per-record object is made."""
    columns: dict[str, NDArray[Any]] = {}
    for feature in FEATURES:
        name = feature.name
        if feature.kind == "number":
            # numpy turns None into NaN here.
            column = np.array([record.get(name) for record in records], np.float32)
        else:
            column = np.array([record.get(name) or "" for record in records], object)
        columns[name] = column.reshape(-1, 1)
    return columns
