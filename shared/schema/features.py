"""The model's features, read off the one definition of a record."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from shared.schema.passenger import Passenger


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
        """What a value must be, in words."""
        if self.categories:
            return "one of " + ", ".join(repr(category) for category in self.categories)
        kind = "a whole number" if self.whole else "a number"
        limits = (("at least", self.minimum), ("at most", self.maximum))
        bounds = [f"{words} {limit:.10g}" for words, limit in limits if limit is not None]
        return " ".join([kind, " and ".join(bounds)]).strip()


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


def _features(schema: dict[str, Any]) -> tuple[Feature, ...]:
    required = schema.get("required", [])
    return tuple(_feature(name, s, name in required) for name, s in schema["properties"].items())


_SCHEMA = TypeAdapter(Passenger).json_schema()

FEATURES = _features(_SCHEMA)
"""In the order in which the record lists its fields."""

RECORD_NAME = str(_SCHEMA["title"]).lower()
"""What errors call one record: the name of its class."""
