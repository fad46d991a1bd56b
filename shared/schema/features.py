"""The model's features, read off the definition of a record: each says which values are sound.

Every check of a value asks `Feature`: the decoder, the explanation of refused records, the tensors
of the Open Inference Protocol, the training table and the proof of parity.
"""

import math
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, TypeAdapter

from shared.schema.passenger import Passenger

_LARGEST = float(np.finfo(np.float32).max)
"""The largest number that the model's input can hold; beyond it, float32 has only infinity."""


class Feature(BaseModel):
    """One field of a record, and one input tensor of the model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Literal["number", "category"]
    required: bool
    whole: bool = False
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str, ...] = ()

    @property
    def expected(self) -> str:
        """Return in words what a value must be."""
        if self.categories:
            return "one of " + ", ".join(repr(category) for category in self.categories)
        kind = "a whole number" if self.whole else "a number"
        limits = (("at least", self.minimum), ("at most", self.maximum))
        bounds = [f"{words} {limit:.10g}" for words, limit in limits if limit is not None]
        return " ".join([kind, " and ".join(bounds)]).strip()

    @property
    def dtype(self) -> type[np.float32] | type[object]:
        """Return the dtype of the feature's column; Python strings are objects."""
        return np.float32 if self.kind == "number" else object

    @property
    def missing(self) -> float | str:
        """Return what a column contains for a missing value."""
        return math.nan if self.kind == "number" else ""

    @property
    def strings(self) -> tuple[str, ...]:
        """Return the strings that a column of categories may contain: "" too, if it is optional."""
        return self.categories if self.required else (*self.categories, "")

    @property
    def value_type(self) -> Any:
        """Return the type of a sound value as msgspec checks it; the same rules as `sound`."""
        if self.kind == "category":
            return Literal[self.categories]
        lowest, highest = self._bounds
        whole = 1 if self.whole else None
        return Annotated[float, msgspec.Meta(ge=lowest, le=highest, multiple_of=whole)]

    def sound(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Return for each value whether a record may give it; a missing value is not sound.

        Numbers come as float64, because rounding to float32 could carry them across a bound.
        """
        if self.kind == "category":
            known = {*self.categories}
            found = (isinstance(value, str) and value in known for value in values)
            return np.fromiter(found, np.bool_, len(values))
        lowest, highest = self._bounds
        # NaN and the infinities are out of any bounds.
        sound: NDArray[np.bool_] = (values >= lowest) & (values <= highest)
        if self.whole:
            sound &= np.floor(values) == values
        return sound

    def is_missing(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Return for each value of a column whether it stands for a missing one."""
        missing: NDArray[np.bool_] = np.isnan(values) if self.kind == "number" else values == ""
        return missing

    def allowed(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Return for each value whether a column may contain it: sound, or missing if optional."""
        sound = self.sound(values)
        return sound if self.required else sound | self.is_missing(values)

    @property
    def _bounds(self) -> tuple[float, float]:
        lowest = -_LARGEST if self.minimum is None else max(self.minimum, -_LARGEST)
        highest = _LARGEST if self.maximum is None else min(self.maximum, _LARGEST)
        return lowest, highest


_UNKNOWN_RULES = ("exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "pattern")
"""Rules of a JSON schema that `Feature` does not have, so that no check would keep them."""


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
            raise TypeError(f"{name}: expected a number or a category, got the type {other}")
    for rule in _UNKNOWN_RULES:
        if rule in value:
            raise TypeError(
                f"{name}: expected bounds by ge and le, or a Literal of categories; got {rule}"
            )
    step = value.get("multipleOf")
    if step not in (None, 1):
        raise TypeError(f"{name}: expected multiple_of=1, for whole numbers; got {step}")
    # A Literal of one value is a "const".
    categories = value.get("enum", [value["const"]] if "const" in value else [])
    if kind == "category" and not categories:
        raise TypeError(f"{name}: expected a Literal of categories, got any string")
    return Feature(
        name=name,
        kind=kind,
        required=required,
        whole=value["type"] == "integer" or step == 1,
        minimum=value.get("minimum"),
        maximum=value.get("maximum"),
        categories=tuple(categories),
    )


def _features(schema: dict[str, Any]) -> tuple[Feature, ...]:
    required = schema.get("required", [])
    return tuple(_feature(name, s, name in required) for name, s in schema["properties"].items())


_SCHEMA = TypeAdapter(Passenger).json_schema()

FEATURES = _features(_SCHEMA)
"""The features of the record, in the order of its fields."""

RECORD_NAME = str(_SCHEMA["title"]).lower()
"""The name of a record in error messages: the name of its class."""
