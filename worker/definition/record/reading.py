"""record.py: the class of a row, what of it is learned, and two examples."""

import inspect
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from shared.errors import DefinitionBroken
from shared.schema.features import Feature
from shared.schema.schema import Schema
from worker.definition import constants
from worker.definition.record import classes, examples
from worker.definition.record.features import feature_of
from worker.definition.record.fields import MOST_NAME, fields_of
from worker.definition.record.labels import labels_of

_MOST_DESCRIPTION = 4_000
"""Characters of the class's docstring; every version's manifest and OpenAPI document has it."""
_CONSTANTS = ("TARGET", "EXAMPLES", "POSITIVE", "METRIC")


@dataclass(frozen=True)
class Record:
    """What record.py says."""

    schema: Schema
    target: Feature | None
    """Of a regression, which numbers of the target are sound."""
    metric: object
    """METRIC as it stands there; None if it does not."""


def read(module: ModuleType) -> Record:
    """Return what a module says of a record. Raises DefinitionBroken, without the file's name."""
    constants.check_spelling(module, _CONSTANTS)
    record = classes.record_of(module)
    fields = fields_of(record)
    names = [field.name for field in fields]
    name = _target(module, names)
    labels = labels_of(fields[names.index(name)], getattr(module, "POSITIVE", None))
    features = tuple(feature_of(field) for field in fields if field.name != name)
    if not features:
        raise DefinitionBroken(
            f"{record.__name__}: expected a field beside {name}, the target, to learn from; found "
            "none; add the columns that are known when a prediction is asked for"
        )
    schema = Schema(
        record=record.__name__,
        description=_description(record),
        features=features,
        target=name,
        kind=labels.kind,
        classes=labels.classes,
        positive=labels.positive,
        examples=tuple(examples.checked(getattr(module, "EXAMPLES", None), features, name)),
    )
    return Record(schema, labels.target, getattr(module, "METRIC", None))


def _target(module: ModuleType, names: list[str]) -> str:
    target: Any = getattr(module, "TARGET", None)
    fields = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    if not isinstance(target, str):
        found = "none" if target is None else repr(target)[:60]
        raise DefinitionBroken(
            f"TARGET: expected the name of the field that is learned, found {found}; write "
            f'TARGET = "<one of {fields}>"'
        )
    if target not in names:
        raise DefinitionBroken(
            f"TARGET: expected one of the fields {fields}, found {target!r}; correct it, or add "
            "the field to the class"
        )
    return target


def _description(record: type) -> str:
    if len(record.__name__) > MOST_NAME:
        raise DefinitionBroken(
            f"expected a class with a name of at most {MOST_NAME} characters, found "
            f"{record.__name__[:40]}...; shorten it"
        )
    # Its own: `record.__doc__` may be that of BaseModel or dict.
    text = inspect.cleandoc(vars(record).get("__doc__") or "")
    if len(text) > _MOST_DESCRIPTION:
        raise DefinitionBroken(
            f"{record.__name__}: expected a docstring of at most {_MOST_DESCRIPTION:,} "
            f"characters, found {len(text):,}; shorten it"
        )
    return text
