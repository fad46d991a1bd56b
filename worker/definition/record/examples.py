"""The example requests of a definition, checked as requests are."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from shared.errors import DefinitionBroken
from shared.schema.features import Feature

_NUMBER = 2
"""One example shows a record; two show that it is a list, and what may be left out."""


def checked(examples: object, features: Sequence[Feature], target: str) -> list[dict[str, Any]]:
    """Return the examples as plain JSON. Raises DefinitionBroken for one that would be refused."""
    if not isinstance(examples, list | tuple):
        raise DefinitionBroken(
            f"EXAMPLES: expected a list of two requests, found {_kind(examples)}; write "
            "[{...}, {...}]"
        )
    if len(examples) != _NUMBER:
        raise DefinitionBroken(
            f"EXAMPLES: expected two requests, found {len(examples)}; the documentation shows "
            "them, and a model is warmed up with them"
        )
    return [_example(one, f"EXAMPLES[{i}]", features, target) for i, one in enumerate(examples)]


def _example(
    example: object, where: str, features: Sequence[Feature], target: str
) -> dict[str, Any]:
    if not isinstance(example, Mapping):
        raise DefinitionBroken(
            f"{where}: expected a dictionary of fields, found {_kind(example)}; write "
            '{"<field>": <value>, ...}'
        )
    if target in example:
        raise DefinitionBroken(
            f"{where}: expected a request, which does not know {target}, the target; remove it"
        )
    known = {feature.name: feature for feature in features}
    for name in example:
        if name not in known:
            raise DefinitionBroken(f"{where}: unknown field {name!r}; known are {', '.join(known)}")
    for feature in features:
        if feature.required and feature.name not in example:
            raise DefinitionBroken(f"{where}: {feature.name} is required; add it")
    return {name: _value(value, f"{where}, {name}", known[name]) for name, value in example.items()}


def _value(value: Any, where: str, feature: Feature) -> Any:
    if value is None and not feature.required:
        return None
    if feature.kind == "category":
        if isinstance(value, str) and value in feature.categories:
            return str(value)
    elif isinstance(value, int | float | np.number) and not isinstance(value, bool | np.bool_):
        number = _float(value)
        if feature.sound(np.array([number])).all():
            return int(value) if isinstance(value, int | np.integer) else number
    raise DefinitionBroken(
        f"{where}: expected {feature.expected}, found {repr(value)[:60]}; correct it"
    )


def _float(value: Any) -> float:
    try:
        return float(value)
    except (OverflowError, TypeError):
        return math.nan


def _kind(value: object) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"
