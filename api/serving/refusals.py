"""Explanations of a body that the decoder refused: its first errors, in words, for little work.

A small body can contain very many errors, and Pydantic makes an object of each: 8 MB took 13 s.
Therefore Pydantic gets one record at a time, until enough errors are found.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import FailFast, TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from api import limits
from api.serving.predictor import too_many_rows
from shared.schema.features import FEATURES, RECORD_NAME, Feature
from shared.schema.passenger import Passenger

_PLAINER = {
    "extra_forbidden": f"unknown field; known are {', '.join(f.name for f in FEATURES)}",
    "multiple_of": "Input should be a whole number",
    "missing": "this field is required",
}
"""Type of an error -> words that help a client more than Pydantic's."""

_TOO_LARGE = "Input should be a number that fits into float32, up to 3.4e38"

_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_MARKS_PER_ROW = 2 * len(FEATURES)
_LEAST_ROWS = 1000

_PASSENGER = TypeAdapter(Passenger)
# Stops at the first record that is wrong.
_PASSENGERS = TypeAdapter(Annotated[list[Passenger], FailFast()])

Errors = list[dict[str, object]]


def shortened(loc: Iterable[str | int]) -> list[str | int]:
    """Return where an error is, names shortened: an unknown field's name may have any length."""
    return [part[: limits.NAME_CHARACTERS] if isinstance(part, str) else part for part in loc]


def explain(body: bytes, refused: Exception, max_rows: int) -> Errors:
    """Return the first errors of a refused body, with FastAPI's fields (`loc`, `msg`, `type`).

    `loc` is ("body", index of the record, field); `msg` repeats it in words. The input is never
    shown.

    Raises:
        TooManyRows: the body is a list of more than `max_rows`.
    """
    if body.startswith(_BYTE_ORDER_MARKS):
        return _whole_body(
            "expected UTF-8 without a byte order mark, got one; send the body without it"
        )
    where = str(refused).rpartition(" - ")[2][: limits.NAME_CHARACTERS]
    most_marks = _MARKS_PER_ROW * max(max_rows, _LEAST_ROWS)
    if any(body.count(mark) > most_marks for mark in b"{[,:"):
        return _whole_body(
            f"expected at most {max_rows} rows, got more than they can hold; first error: {where}"
        )
    try:
        parsed = from_json(body)
    except ValueError:
        # Pydantic says where the JSON is malformed.
        parsed = None
    is_list = isinstance(parsed, list)
    found = _of_records(parsed, max_rows) if is_list else _of(_PASSENGERS, body)
    if is_list and not found:
        found = _unsound(parsed, FEATURES)
    # If a field is given twice, Pydantic checks the last value and the decoder each.
    return found or _whole_body(
        f"a field is given more than once, and one of its values is wrong: {where}. "
        "Give each field once"
    )


def _of_records(records: list[Any], max_rows: int) -> Errors:
    if len(records) > max_rows:
        raise too_many_rows(len(records), max_rows)
    found: Errors = []
    for row, record in enumerate(records):
        try:
            _PASSENGER.validate_python(record)
        except ValidationError:
            # Validated again as JSON, so that the words are the same for any record.
            json = to_json(_first_fields(record), inf_nan_mode="constants")
            found += _of(_PASSENGER, json, row)
            if len(found) >= limits.MAX_ERRORS:
                break
    return found[: limits.MAX_ERRORS]


def _unsound(records: Sequence[Mapping[str, Any]], features: Sequence[Feature]) -> Errors:
    """Return the errors that Pydantic does not find and `Feature` does.

    To Pydantic 2.9999999999 is whole, and a number without bounds may be larger than float32 holds.
    """
    found: list[tuple[int, Feature, float]] = []
    for feature in features:
        if feature.kind == "number":
            values = np.array([record.get(feature.name) for record in records], np.float64)
            wrong = np.flatnonzero(~(feature.sound(values) | feature.is_missing(values)))
            found += [(int(row), feature, values[row]) for row in wrong[: limits.MAX_ERRORS]]
    found.sort(key=lambda error: error[0])
    return [
        _worded([row, feature.name], _TOO_LARGE, "multiple_of" if value % 1 else "finite_number")
        for row, feature, value in found[: limits.MAX_ERRORS]
    ]


def _first_fields(record: Any) -> Any:
    """Return the record without the unknown fields that are too many to be reported."""
    if not isinstance(record, dict):
        return record
    known = {feature.name for feature in FEATURES}
    unknown = [name for name in record if name not in known]
    dropped = {*unknown[limits.MAX_ERRORS :]}
    return {name: value for name, value in record.items() if name not in dropped}


def _of(adapter: TypeAdapter[Any], body: bytes, *row: int) -> Errors:
    """Return the errors that Pydantic finds in JSON: a record at a row, or the whole body."""
    try:
        adapter.validate_json(body)
    except ValidationError as error:
        errors = error.errors(include_input=False, include_url=False, include_context=False)
        return [_worded([*row, *found["loc"]], found["msg"], found["type"]) for found in errors]
    return []


def _whole_body(message: str) -> Errors:
    return [{"loc": ["body"], "msg": message, "type": "value_error"}]


def _worded(loc: list[str | int], message: str, kind: str) -> dict[str, object]:
    where = shortened(loc)
    message = _PLAINER.get(kind, message)
    if where:
        message = f"{RECORD_NAME} {where[0]}{''.join(f', {p}' for p in where[1:])}: {message}"
    return {"loc": ["body", *where], "msg": message, "type": kind}
