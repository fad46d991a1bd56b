"""What is wrong with a body that the decoder refused, in words: the first errors, for little work.

A small body can hold very many errors, and Pydantic makes an object of each: 8 MB took it 13 s. So
it gets one record at a time, until enough is found.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import FailFast, TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from api.serving.predictor import too_many_rows
from shared.schema.features import FEATURES, RECORD_NAME, Feature
from shared.schema.passenger import Passenger

_PLAINER = {
    "extra_forbidden": f"unknown field; known are {', '.join(f.name for f in FEATURES)}",
    "multiple_of": "Input should be a whole number",
    "missing": "this field is required",
}
"""Where Pydantic's own words do not help whoever sent the request."""

_TOO_LARGE = "Input should be a number that fits into float32, up to 3.4e38"

_LONGEST_NAME = 80

MAX_ERRORS = 20
"""Errors reported for one request; more would not help to mend it."""

_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_MARKS_PER_ROW = 2 * len(FEATURES)
_LEAST_ROWS = 1000

_PASSENGER = TypeAdapter(Passenger)
# It stops at the first record that is wrong.
_PASSENGERS = TypeAdapter(Annotated[list[Passenger], FailFast()])

Errors = list[dict[str, object]]


def shortened(loc: Iterable[str | int]) -> list[str | int]:
    """Where an error is. The name of an unknown field is the client's, and as long as it likes."""
    return [part[:_LONGEST_NAME] if isinstance(part, str) else part for part in loc]


def explain(body: bytes, refused: Exception, max_rows: int) -> Errors:
    """The first errors of a refused body as FastAPI words them (`loc`, `msg`, `type`).

    `loc` is ("body", index of the record, field); `msg` says the same in words. The input itself
    is never shown.

    Raises:
        TooManyRows: it is a list of more than `max_rows`.
    """
    if body.startswith(_BYTE_ORDER_MARKS):
        return _whole_body("it begins with a byte order mark; send UTF-8 without one")
    where = str(refused).rpartition(" - ")[2][:_LONGEST_NAME]
    most_marks = _MARKS_PER_ROW * max(max_rows, _LEAST_ROWS)
    if any(body.count(mark) > most_marks for mark in b"{[,:"):
        return _whole_body(f"it holds more than {max_rows} rows can; first fault: {where}")
    try:
        parsed = from_json(body)
    except ValueError:
        # Pydantic says where.
        parsed = None
    is_list = isinstance(parsed, list)
    found = _of_records(parsed, max_rows) if is_list else _of(_PASSENGERS, body)
    if is_list and not found:
        found = _unsound(parsed, FEATURES)
    # Of a field that comes twice Pydantic looks at the last value, the decoder at each.
    return found or _whole_body(
        f"a field is given more than once, and one of its values is wrong: {where}"
    )


def _of_records(records: list[Any], max_rows: int) -> Errors:
    if len(records) > max_rows:
        raise too_many_rows(len(records), max_rows)
    found: Errors = []
    for row, record in enumerate(records):
        try:
            _PASSENGER.validate_python(record)
        except ValidationError:
            # Once more as JSON, for the same words whatever the record is.
            json = to_json(_first_fields(record), inf_nan_mode="constants")
            found += _of(_PASSENGER, json, row)
            if len(found) >= MAX_ERRORS:
                break
    return found[:MAX_ERRORS]


def _unsound(records: Sequence[Mapping[str, Any]], features: Sequence[Feature]) -> Errors:
    """What Pydantic takes and the model does not: Pydantic calls 2.9999999999 whole, and a number
    without bounds may be larger than float32 can hold."""
    found: list[tuple[int, Feature, float]] = []
    for feature in features:
        if feature.kind == "number":
            values = np.array([record.get(feature.name) for record in records], np.float64)
            wrong = np.flatnonzero(~(feature.sound(values) | feature.is_missing(values)))
            found += [(int(row), feature, values[row]) for row in wrong[:MAX_ERRORS]]
    found.sort(key=lambda error: error[0])
    return [
        _worded([row, feature.name], _TOO_LARGE, "multiple_of" if value % 1 else "finite_number")
        for row, feature, value in found[:MAX_ERRORS]
    ]


def _first_fields(record: Any) -> Any:
    """The record without the unknown fields of which nobody will hear."""
    if not isinstance(record, dict):
        return record
    known = {feature.name for feature in FEATURES}
    unknown = [name for name in record if name not in known]
    dropped = {*unknown[MAX_ERRORS:]}
    return {name: value for name, value in record.items() if name not in dropped}


def _of(adapter: TypeAdapter[Any], body: bytes, *row: int) -> Errors:
    """What Pydantic says of JSON that stands at a row, or is the whole body."""
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
