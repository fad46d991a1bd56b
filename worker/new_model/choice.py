"""Which column is learned, and which are left out: guesses, for a person to correct."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from shared.errors import BadTrainingData, DefinitionBroken
from worker.definition.record.features import MOST_TEXT
from worker.definition.record.fields import MOST_FIELDS, check_name
from worker.definition.record.texts import check_text
from worker.new_model.columns import Column, Holds

_MOST_CATEGORIES = 50
"""Texts of a column that are taken for categories; the person may list more."""
_MOST_LABELS = 20
_MOST_NUMBERS_AS_LABELS = 10
_LEAST_PER_LABEL = 10
"""Rows with a label: a run is scored by ten folds."""
_TARGET_NAMES = {"target", "label", "class", "outcome", "y"}
LARGEST = 3e38
_BOOLEANS = ({"true", "false"}, {"True", "False"}, {"TRUE", "FALSE"})


def target_of(columns: Sequence[Column], asked: str | None) -> Column:
    """Return the column that is learned: the one asked for, or else a guess."""
    if asked is not None:
        for column in columns:
            if column.name == asked:
                if column.has_gaps:
                    gaps = column.rows - len(column.values)
                    raise BadTrainingData(
                        f"{asked}: expected a target without gaps, found {gaps} empty cells among "
                        f"{column.rows}; fill them, or remove these rows"
                    )
                if label_type(column) is None:
                    raise BadTrainingData(
                        f"{asked}: expected labels with at least {_LEAST_PER_LABEL} rows each, or "
                        f"numbers, found {len(column.distinct)} different values; name another "
                        "column with TARGET="
                    )
                return column
        names = ", ".join(column.name for column in columns[:20])
        raise BadTrainingData(f"TARGET={asked}: expected one of the columns {names}; correct it")
    fit = [c for c in columns if not c.has_gaps and label_type(c) and not _is_id(c)]
    named = [column for column in fit if column.name.lower() in _TARGET_NAMES]
    if not fit:
        raise BadTrainingData(
            "expected a column without gaps that can be learned, found none; bring a table with "
            "labels or numbers in each row"
        )
    return (named or fit)[-1]


def label_type(column: Column) -> str | None:
    """Return the type of a target, as code; None if it cannot be one."""
    if _name_refused(column.name) or len(column.distinct) < 2:
        return None
    enough = min(Counter(column.values).values()) >= _LEAST_PER_LABEL
    if column.holds is Holds.BOOLEANS or {*column.distinct} in _BOOLEANS:
        return "bool" if enough else None
    if column.holds is Holds.NUMBERS:
        number = len(column.distinct)
        if column.is_whole and enough and (number == 2 or number <= _MOST_NUMBERS_AS_LABELS):
            return literal([int(value) for value in column.distinct])
        if number == 2 or column.rows < 2 * _LEAST_PER_LABEL or _too_large(column):
            return None
        return "float"
    if column.holds is Holds.TEXTS and enough and len(column.distinct) <= _MOST_LABELS:
        return None if _texts_refused(column) else literal(column.distinct)
    return None


def why_left_out(column: Column, others: Sequence[str]) -> str:
    """Return why a column is not a feature, and what to do; "" if it is one."""
    if refused := _name_refused(column.name):
        return refused
    if column.name.casefold() in {name.casefold() for name in others}:
        return "another column differs from it only in capitals; rename one"
    if len(others) >= MOST_FIELDS:
        return f"a record has at most {MOST_FIELDS} fields; choose those that matter"
    if not column.values:
        return "it is empty"
    if column.holds is Holds.BOOLEANS:
        return "booleans are not features; write 1 and 0, or texts, into the table"
    if column.holds is Holds.DATES:
        return "a date is not a feature; write a number, such as days, into the table"
    if column.holds is Holds.OTHER:
        return "neither numbers nor texts; write either into the table"
    if len(column.distinct) == 1:
        return f"it is always {str(column.distinct[0])[:40]!r}, from which nothing can be learned"
    if _is_id(column):
        return "it looks like an id, which says nothing about a new record"
    if column.holds is Holds.NUMBERS:
        return "numbers beyond float32; write another unit" if _too_large(column) else ""
    number = len(column.distinct)
    if number > _MOST_CATEGORIES or number * 2 > len(column.values) > 20 or _texts_refused(column):
        return (
            f"{number} different texts in {len(column.values)} rows: free text is not a feature; "
            "make categories of it"
        )
    return ""


def _name_refused(name: str) -> str:
    try:
        check_name(name)
    except DefinitionBroken as error:
        return str(error)
    return ""


def _texts_refused(column: Column) -> bool:
    for text in column.distinct:
        try:
            check_text(text, "a text", MOST_TEXT)
        except DefinitionBroken:
            return True
    return False


def _too_large(column: Column) -> bool:
    return bool(max(abs(column.distinct[0]), abs(column.distinct[-1])) > LARGEST)


def _is_id(column: Column) -> bool:
    """Return whether each row has another whole number or text, and the name or order says so."""
    if len(column.distinct) < column.rows or column.rows < 20:
        return False
    if re.search(r"(^|[^A-Za-z])(id|index|key|uuid)$|[a-z]I[dD]$", column.name, re.I):
        return True
    first, last = column.distinct[0], column.distinct[-1]
    return column.is_whole and bool(last - first + 1 == column.rows)


def literal(values: Sequence[Any]) -> str:
    return f"Literal[{', '.join(map(quoted, values))}]"


def quoted(value: Any) -> str:
    if not isinstance(value, str):
        return repr(value)
    text = repr(value)
    # As formatters write it.
    return f'"{text[1:-1]}"' if text[0] == "'" and '"' not in value else text
