"""A record of a schema as Pydantic and OpenAPI see it."""

from typing import Annotated, Any, Literal, Required

from pydantic import ConfigDict, Field, TypeAdapter, with_config

# Pydantic reads TypedDict's Required only from here on Python 3.11.
from typing_extensions import TypedDict

from shared.schema.features import Feature
from shared.schema.schema import Schema

_CONFIG = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


def record_class(schema: Schema) -> Any:
    """Return a TypedDict whose values are checked as `Feature` says, as far as Pydantic can."""
    fields = {feature.name: _field(feature) for feature in schema.features}
    record: Any = TypedDict(schema.record, fields, total=False)  # type: ignore[misc]
    record.__doc__ = schema.description or None
    return with_config(_CONFIG)(record)


def json_schema(schema: Schema) -> dict[str, Any]:
    """Return the JSON schema of a record."""
    return TypeAdapter(record_class(schema)).json_schema()


def _field(feature: Feature) -> Any:
    rules: dict[str, Any] = {"description": feature.description or None}
    if feature.kind == "category":
        value: Any = Literal[feature.categories]
    else:
        value = float
        rules |= {"ge": feature.minimum, "gt": feature.above}
        rules |= {"le": feature.maximum, "lt": feature.below}
        if feature.whole:
            # JSON has one kind of number, and data frames write a whole number as 3.0 if its
            # column has a gap: whole numbers are floats without a fraction.
            rules |= {"multiple_of": 1, "json_schema_extra": {"type": "integer"}}
    stated: Any = Field(**{name: rule for name, rule in rules.items() if rule is not None})
    described: Any = Annotated[value, stated]
    return Required[described] if feature.required else described | None
