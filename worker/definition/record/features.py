"""A field of a record's class as a feature of the model, or a refusal of it by its name."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from shared.errors import DefinitionBroken
from shared.schema.features import Feature
from worker.definition.record.fields import Declared
from worker.definition.record.texts import check_text

MOST_CATEGORIES = 1_000
"""Categories of a field. Manifest, OpenAPI document and page list each of them."""
MOST_TEXT = 200
"""Characters of a category or a label."""

_OTHERS = {
    "any": ("any value", "write float, int or a Literal of strings"),
    "bool": ("a boolean", "write Literal['true', 'false'], as the table has it, or int"),
    "bytes": ("bytes", "write a Literal of the texts that they stand for"),
    "complex": ("a complex number", "write two floats"),
    "date": ("a date", "write a float, such as the days since a day of your choice"),
    "datetime": ("a date with a time", "write a float, such as the days since a day of yours"),
    "decimal": ("a Decimal", "write float"),
    "dict": ("a dictionary", "write a field for each of its values"),
    "enum": ("an Enum", "write a Literal of its values"),
    "list": ("a list", "write a field for each of its values"),
    "model": ("a class", "write its fields here, one by one"),
    "dataclass": ("a class", "write its fields here, one by one"),
    "typed-dict": ("a class", "write its fields here, one by one"),
    "none": ("nothing but None", "leave the field out"),
    "set": ("a set", "write a field for each of its values"),
    "str": (
        "a str, which is any text",
        "write a Literal of its categories, or leave it out: free text is not a feature",
    ),
    "time": ("a time", "write a float, such as the hours since midnight"),
    "timedelta": ("a duration", "write a float, such as its days"),
    "tuple": ("a tuple", "write a field for each of its values"),
    "union": ("several types", "write one of them; float takes whole numbers, too"),
}
"""Pydantic's word for what a field is -> what its author would call it, and what to do."""

_RULES = {"type", "ge", "gt", "le", "lt", "multiple_of", "strict", "allow_inf_nan", "metadata"}
"""The rules of a number that are kept; a field with any other is refused."""


def feature_of(field: Declared) -> Feature:
    """Return the feature that a field declares. Raises DefinitionBroken."""
    name, value = field.name, field.value
    if field.required and field.nullable:
        raise DefinitionBroken(
            f"{name}: expected a field that is either required or may be null, found one that "
            f"must be there and may be null; write {field.optional}, or a type without None"
        )
    if value["type"] not in ("literal", "float", "int"):
        refuse_type(field, "a float, an int or a Literal of strings")
    if value["type"] == "literal":
        texts = _categories(name, value["expected"])
    if not field.required and not field.nullable:
        raise DefinitionBroken(
            f"{name}: expected an optional field to take null as well, found a type without None; "
            f"write {field.optional}, or make it required"
        )
    if value["type"] != "literal":
        return number(field)
    if "serialization" in value:
        raise DefinitionBroken(f"{name}: expected no serializer; remove it")
    return Feature(
        name=name,
        kind="category",
        required=field.required,
        categories=texts,
        description=field.description,
    )


def refuse_type(field: Declared, expected: str) -> NoReturn:
    """Raise DefinitionBroken for a type that is not one of those expected."""
    kind = str(field.value["type"])
    found, fix = _OTHERS.get(kind, (field.shown, "write one of these"))
    raise DefinitionBroken(f"{field.name}: expected {expected}, found {found}; {fix}")


def number(field: Declared) -> Feature:
    """Return the feature of a number, with its bounds. Raises DefinitionBroken."""
    name, value = field.name, field.value
    if value.get("strict") is False or value.get("allow_inf_nan") is True:
        raise DefinitionBroken(
            f"{name}: expected a strict, finite number, found strict=False or allow_inf_nan=True; "
            "remove it"
        )
    if unknown := value.keys() - _RULES:
        raise DefinitionBroken(
            f"{name}: expected ge, gt, le, lt, multiple_of=1, found {min(unknown)}; remove it"
        )
    step = value.get("multiple_of")
    if step not in (None, 1):
        raise DefinitionBroken(
            f"{name}: expected multiple_of=1, for whole numbers, found {step}; count in another "
            "unit, or remove it"
        )
    feature = Feature(
        name=name,
        kind="number",
        required=field.required,
        whole=value["type"] == "int" or step == 1,
        minimum=_bound(name, value, "ge"),
        maximum=_bound(name, value, "le"),
        above=_bound(name, value, "gt"),
        below=_bound(name, value, "lt"),
        description=field.description,
    )
    lowest, highest = feature.bounds
    # Of the whole numbers, too, there must be one between them.
    if not (math.ceil(lowest) <= highest if feature.whole else lowest <= highest):
        raise DefinitionBroken(
            f"{name}: expected bounds that some number keeps, found {feature.expected}; correct "
            "one of them"
        )
    return feature


def _bound(name: str, value: Mapping[str, Any], rule: str) -> float | None:
    bound = value.get(rule)
    if bound is None:
        return None
    try:
        number = float(bound)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise DefinitionBroken(
            f"{name}: expected {rule} to be a finite number, found {str(bound)[:40]}; correct it, "
            "or remove it"
        )
    return number


def _categories(name: str, values: Sequence[object]) -> tuple[str, ...]:
    for value in values:
        if not isinstance(value, str) or type(value) is not str:
            fix = (
                "write Literal[...] | None" if value is None else f"write {str(value)!r}, or float"
            )
            raise DefinitionBroken(
                f"{name}: expected a Literal of strings, found one with {value!r}; {fix}"
            )
    texts = tuple(str(value) for value in values)
    if len(texts) > MOST_CATEGORIES:
        raise DefinitionBroken(
            f"{name}: expected at most {MOST_CATEGORIES:,} categories, found {len(texts):,}; put "
            "rare ones together, or leave the field out"
        )
    for text in texts:
        try:
            check_text(text, "a category", MOST_TEXT)
        except DefinitionBroken as error:
            raise DefinitionBroken(f"{name}: {error}") from None
    return texts
