"""What is learned, as the type of the target says it: labels, or a number."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.errors import DefinitionBroken
from shared.schema.features import Feature
from shared.schema.schema import Kind, Label
from worker.definition.record.features import MOST_TEXT, number, refuse_type
from worker.definition.record.fields import Declared
from worker.definition.record.texts import check_text

MOST_CLASSES = 200
"""Labels of a target. Each row of an answer has a probability for each of them."""

_LARGEST = 2**53
"""Beyond it, clients that read numbers as floats take two labels for one."""


@dataclass(frozen=True)
class Labels:
    """The kind of a target, and its labels."""

    kind: Kind
    classes: tuple[Label, ...] = ()
    """In ascending order, which is that of scikit-learn's `classes_`."""
    positive: Label | None = None
    target: Feature | None = None
    """Of a regression, which numbers are sound."""


def labels_of(target: Declared, positive: object = None) -> Labels:
    """Return what a target's type says is learned; `positive` is POSITIVE.

    Raises DefinitionBroken.
    """
    name, value = target.name, target.value
    if target.nullable or not target.required:
        raise DefinitionBroken(
            f"{name}: expected the target to be required and without None, because each row of the "
            "table has it; write "
            + ("a type without None and without a default" if target.is_model else "Required[...]")
        )
    if value["type"] in ("int", "float"):
        if positive is not None:
            raise DefinitionBroken(
                f"POSITIVE: expected two labels, but {name} is a number, which has none; remove it"
            )
        return Labels(Kind.REGRESSION, target=number(target))
    if value["type"] == "bool":
        listed: Sequence[Any] = [False, True]
    elif value["type"] == "literal":
        listed = value["expected"]
    else:
        refuse_type(target, "the target to be a Literal of labels, a bool, a float or an int")
    _check(name, listed)
    if len(listed) == 2:
        default = True if isinstance(listed[0], bool) else listed[1]
        chosen = default if positive is None else _positive(positive, listed)
        return Labels(Kind.BINARY, tuple(sorted(listed)), chosen)
    if positive is not None:
        raise DefinitionBroken(
            f"POSITIVE: expected two labels, but {name} has {len(listed)}, and the probability of "
            "each is answered; remove it"
        )
    return Labels(Kind.MULTICLASS, tuple(sorted(listed)))


def _check(name: str, listed: Sequence[Any]) -> None:
    for label in listed:
        if type(label) not in (str, int, bool):
            fix = "each row needs a label" if label is None else "write its value"
            raise DefinitionBroken(
                f"{name}: expected labels that are strings, whole numbers or booleans, found "
                f"{label!r}; {fix}"
            )
        if type(label) is int and abs(label) > _LARGEST:
            raise DefinitionBroken(
                f"{name}: expected whole numbers up to 2**53 as labels, found {str(label)[:40]}; "
                "write strings"
            )
        if isinstance(label, str):
            try:
                check_text(label, "a label", MOST_TEXT)
            except DefinitionBroken as error:
                raise DefinitionBroken(f"{name}: {error}") from None
    types = sorted({type(label).__name__ for label in listed})
    if len(types) > 1:
        raise DefinitionBroken(
            f"{name}: expected labels of one type, found {' and '.join(types)}; write all of them "
            "as strings, here and in the table"
        )
    if len(listed) < 2:
        raise DefinitionBroken(
            f"{name}: expected two labels or more, found {listed[0]!r} alone; add the others"
        )
    if len(listed) > MOST_CLASSES:
        raise DefinitionBroken(
            f"{name}: expected at most {MOST_CLASSES} labels, found {len(listed)}; put rare ones "
            "together, or predict a number"
        )


def _positive(positive: object, listed: Sequence[Any]) -> Any:
    for label in listed:
        # `True == 1`.
        if type(label) is type(positive) and label == positive:
            return label
    raise DefinitionBroken(
        f"POSITIVE: expected one of {', '.join(map(repr, listed))}, found {positive!r}; write the "
        "label whose probability is to be answered"
    )
