"""The model's features, read off the definition of a record: each says which values are sound.

Every check of a value asks `Feature`: the decoder, the explanation of refused records, the tensors
of the Open Inference Protocol, the training table and the proof of parity.
"""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from typing_extensions import TypedDict

_LARGEST = float(np.finfo(np.float32).max)
"""The largest number that the model's input can hold; beyond it, float32 has only infinity."""


class Feature(BaseModel):
    """One field of a record, and one input tensor of the model."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    kind: Literal["number", "category"]
    required: bool
    whole: bool = False
    minimum: float | None = None
    maximum: float | None = None
    # Left out of manifests that need them not, so that older releases read those.
    above: float | None = Field(None, exclude_if=lambda bound: bound is None)
    below: float | None = Field(None, exclude_if=lambda bound: bound is None)
    categories: tuple[str, ...] = ()
    description: str = Field("", exclude_if=lambda text: not text)

    @property
    def expected(self) -> str:
        """Return in words what a value must be."""
        if self.categories:
            return "one of " + ", ".join(repr(category) for category in self.categories)
        kind = "a whole number" if self.whole else "a number"
        limits = (
            ("at least", self.minimum),
            ("more than", self.above),
            ("at most", self.maximum),
            ("less than", self.below),
        )
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
        lowest, highest = self.bounds
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
        lowest, highest = self.bounds
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
    def bounds(self) -> tuple[float, float]:
        """Return the smallest and the largest number that is sound."""
        lowest, highest = -_LARGEST, _LARGEST
        if self.minimum is not None:
            lowest = max(lowest, self.minimum)
        if self.above is not None:
            lowest = max(lowest, math.nextafter(self.above, math.inf))
        if self.maximum is not None:
            highest = min(highest, self.maximum)
        if self.below is not None:
            highest = min(highest, math.nextafter(self.below, -math.inf))
        return lowest, highest


_TYPES = {
    "bool": "a boolean; write a Literal of categories",
    "date": "a date",
    "datetime": "a date",
    "default": "a default; a field without a value is missing",
    "definition-ref": "a class",
    "enum": "an Enum; write a Literal of its values",
    "function-after": "a rule or validator that no table and no tensor would be checked by",
    "function-before": "a validator that no table and no tensor would be checked by",
    "function-plain": "a validator that no table and no tensor would be checked by",
    "function-wrap": "a validator that no table and no tensor would be checked by",
    "str": "any string",
    "union": "several types",
}
"""Pydantic's word for what a field is -> what its author would call it."""

_RULES = {"type", "ge", "gt", "le", "lt", "multiple_of", "strict", "allow_inf_nan", "metadata"}
"""The rules of a number that are known here; a record with any other is refused."""


def _feature(name: str, field: dict[str, Any]) -> Feature:
    """Return the feature that Pydantic's core schema of a field describes. Raises TypeError."""
    required, value = field["required"], field["schema"]
    if alias := field.get("validation_alias"):
        raise TypeError(f"{name}: expected a field without an alias, got {alias!r}")
    if value["type"] == "nullable":
        if required:
            raise TypeError(f"{name}: expected a type without None, because it is Required")
        value = value["schema"]
    if value["type"] == "literal":
        return _category(name, required, value["expected"])
    if value["type"] not in ("float", "int"):
        found = _TYPES.get(value["type"], f"the type {value['type']}")
        raise TypeError(f"{name}: expected a float or a Literal of strings, got {found}")
    if value.get("strict") is False or value.get("allow_inf_nan") is True:
        raise TypeError(
            f"{name}: expected a strict, finite number, got strict=False or allow_inf_nan=True"
        )
    if unknown := value.keys() - _RULES:
        raise TypeError(f"{name}: expected ge, gt, le, lt, multiple_of=1, got {min(unknown)}")
    step = value.get("multiple_of")
    if step not in (None, 1):
        raise TypeError(f"{name}: expected multiple_of=1, for whole numbers; got {step}")
    feature = Feature(
        name=name,
        kind="number",
        required=required,
        whole=value["type"] == "int" or step == 1,
        minimum=value.get("ge"),
        maximum=value.get("le"),
        above=value.get("gt"),
        below=value.get("lt"),
    )
    lowest, highest = feature.bounds
    # Of the whole numbers, too, there must be one between them.
    if not (math.ceil(lowest) <= highest if feature.whole else lowest <= highest):
        raise TypeError(f"{name}: expected bounds that some number keeps, got {feature.expected}")
    return feature


def _category(name: str, required: bool, values: Sequence[object]) -> Feature:
    texts = [value for value in values if isinstance(value, str)]
    if len(texts) < len(values):
        (other, *_) = (value for value in values if not isinstance(value, str))
        raise TypeError(
            f"{name}: expected a Literal of strings, got one with {other!r}; "
            + ("write Literal[...] | None" if other is None else f"write {str(other)!r}, or float")
        )
    return Feature(name=name, kind="category", required=required, categories=tuple(texts))


def features_of(record: type) -> tuple[Feature, ...]:
    """Return the features of a record, a TypedDict, in the order of its fields.

    Raises TypeError, with the name of the field, if it has a rule that not every check would keep.
    """
    try:
        core: Any = TypeAdapter(record).core_schema
    except Exception as error:
        for name, hint in get_type_hints(record, include_extras=True).items():
            try:
                TypeAdapter(TypedDict("One", {name: hint}))  # type: ignore[operator]
            except Exception as one:
                said = str(one).partition("\n")[0]
                raise TypeError(
                    f"{name}: expected a float or a Literal of strings, {said}"
                ) from one
        raise TypeError(f"the record: {error}") from error
    if core["type"] == "definitions":
        core = core["schema"]
    if core["type"] != "typed-dict":
        raise TypeError(f"{record.__name__}: expected a TypedDict without validators of its own")
    return tuple(_feature(name, field) for name, field in core["fields"].items())
