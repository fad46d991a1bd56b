"""Explanations of a body that the decoder refused: its first errors, in words, for little work.

A small body can contain very many errors, and Pydantic makes an object of each: 8 MB took 13 s.
Therefore Pydantic gets one record at a time, until enough errors are found.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import msgspec
import numpy as np
from pydantic import FailFast, TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from api import limits
from api.serving.bodies import too_many_rows
from api.serving.pieces import Piece, pieces
from shared.schema.decoder import REFUSED, Decoder, count
from shared.schema.json_schema import record_class
from shared.schema.schema import Schema

_WRONG = "expected known fields, each with a value that it may have; got something else"
_TWICE = "the field is given more than once, and one of its values is wrong; give each field once"
_TOO_LARGE = "Input should be a number that fits into float32, up to 3.4e38"

_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_PLACE = re.compile(r" - at `\$\[(\d+)\](?:\.(.*))?`$", re.DOTALL)
"""Where the decoder found a wrong value: the index of the record, and the field if it is one's."""
_LINE_AND_COLUMN = re.compile(r"line (\d+) column (\d+)$")

Errors = list[dict[str, object]]


def shortened(loc: Iterable[str | int]) -> list[str | int]:
    """Return where an error is, names shortened: an unknown field's name may have any length."""
    return [part[: limits.NAME_CHARACTERS] if isinstance(part, str) else part for part in loc]


class Refusals:
    """Explains bodies that the decoder of a schema refused."""

    def __init__(self, schema: Schema, decoder: Decoder) -> None:
        record: Any = record_class(schema)
        self._features = schema.features
        self._record_name = schema.record_name
        self._decode = decoder.decode
        self._record: TypeAdapter[Any] = TypeAdapter(record)
        # Stops at the first record that is wrong.
        records: Any = Annotated[list[record], FailFast()]
        self._records: TypeAdapter[Any] = TypeAdapter(records)
        known = ", ".join(feature.name for feature in schema.features)
        self._plainer = {
            "extra_forbidden": f"unknown field; known are {known}",
            "multiple_of": "Input should be a whole number",
            "missing": "this field is required",
        }
        """Type of an error -> words that help a client more than Pydantic's."""

    def explain(self, body: bytes, max_rows: int) -> Errors:
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
        found: Errors = []
        rows = 0
        for piece in pieces(body):
            try:
                if len(found) < limits.MAX_ERRORS:
                    rows += len(self._decode(piece.text))
                else:
                    rows += count(piece.text)
            except REFUSED as refused:
                if len(found) < limits.MAX_ERRORS:
                    found += self._of_piece(piece, refused, rows, body)
                try:
                    rows += count(piece.text)
                except REFUSED:
                    # What is not a list of objects has no more rows to count.
                    break
            if rows > max_rows:
                raise too_many_rows(max_rows)
        return found[: limits.MAX_ERRORS] or _whole_body("expected a list of records in JSON")

    def _of_piece(self, piece: Piece, refused: Exception, first_row: int, body: bytes) -> Errors:
        if piece.endless:
            if isinstance(refused, msgspec.ValidationError):
                return self._stopped(refused, first_row, _WRONG)
            return _whole_body(
                f"expected a list of records of at most {limits.RECORD_BYTES} bytes each, "
                f"got something else after byte {piece.start}"
            )
        try:
            parsed = from_json(piece.text)
        except ValueError:
            if str(refused).startswith("Number out of range"):
                # An integer with thousands of digits, which Pydantic does not take for a number.
                return self._stopped(refused, first_row, _TOO_LARGE)
            if isinstance(refused, msgspec.ValidationError) and len(piece.text) < len(body):
                # The JSON may be sound, and cut within a record that has objects in its fields.
                return self._stopped(refused, first_row, _WRONG)
            return [_moved(error, piece, body) for error in self._of(self._records, piece.text)]
        if not isinstance(parsed, list):
            return self._of(self._records, piece.text)
        # If a field is given twice, Pydantic checks the last value and the decoder each.
        return self._of_records(parsed, first_row) or self._stopped(refused, first_row, _TWICE)

    def _stopped(self, refused: Exception, first_row: int, message: str) -> Errors:
        """Return an error with the place where the decoder stopped."""
        place = _PLACE.search(str(refused))
        if place is None:
            return _whole_body("expected a list of records, got something else")
        where: list[str | int] = [first_row + int(place[1]), *filter(None, [place[2]])]
        return [self._worded(where, message, "value_error")]

    def _of_records(self, records: list[Any], first_row: int) -> Errors:
        found: Errors = []
        sound: list[tuple[int, dict[str, Any]]] = []
        for row, record in enumerate(records, first_row):
            try:
                self._record.validate_python(record)
                sound.append((row, record))
            except ValidationError:
                # Validated again as JSON, so that the words are the same for any record.
                json = to_json(self._first_fields(record), inf_nan_mode="constants")
                found += self._of(self._record, json, row)
                if len(found) >= limits.MAX_ERRORS:
                    break
        found += self._unsound(sound)
        found.sort(key=_row)
        return found[: limits.MAX_ERRORS]

    def _unsound(self, records: Sequence[tuple[int, dict[str, Any]]]) -> Errors:
        """Return the errors that `Feature` finds and Pydantic does not, in records with their rows.

        To Pydantic 2.9999999999 is whole, and a number without bounds may be larger than what
        float32 holds.
        """
        found: Errors = []
        for feature in self._features:
            if feature.kind == "number":
                values = np.array([record.get(feature.name) for _, record in records], np.float64)
                wrong = np.flatnonzero(~(feature.sound(values) | feature.is_missing(values)))
                for index in wrong[: limits.MAX_ERRORS]:
                    kind = "multiple_of" if values[index] % 1 else "finite_number"
                    found.append(self._worded([records[index][0], feature.name], _TOO_LARGE, kind))
        return found

    def _first_fields(self, record: Any) -> Any:
        """Return the record without the unknown fields that are too many to be reported."""
        if not isinstance(record, dict):
            return record
        known = {feature.name for feature in self._features}
        unknown = [name for name in record if name not in known]
        dropped = {*unknown[limits.MAX_ERRORS :]}
        return {name: value for name, value in record.items() if name not in dropped}

    def _of(self, adapter: TypeAdapter[Any], body: bytes, *row: int) -> Errors:
        """Return the errors that Pydantic finds in JSON: a record at a row, or the whole body."""
        try:
            adapter.validate_json(body)
        except ValidationError as error:
            errors = error.errors(include_input=False, include_url=False, include_context=False)
            return [
                self._worded([*row, *found["loc"]], found["msg"], found["type"]) for found in errors
            ]
        return []

    def _worded(self, loc: list[str | int], message: str, kind: str) -> dict[str, object]:
        where = shortened(loc)
        message = self._plainer.get(kind, message)
        if where:
            message = f"{self._record_name} {', '.join(map(str, where))}: {message}"
        return {"loc": ["body", *where], "msg": message, "type": kind}


def _row(error: dict[str, object]) -> int:
    loc = error["loc"]
    assert isinstance(loc, list)
    return int(loc[1])


def _moved(error: dict[str, object], piece: Piece, body: bytes) -> dict[str, object]:
    """Return an error about the text of a piece, with its place in the body."""

    def move(found: re.Match[str]) -> str:
        line, column = int(found[1]), int(found[2])
        if piece.start and line == 1:
            # The text has a bracket before it.
            column += piece.start - body.rfind(b"\n", 0, piece.start) - 2
        line += body.count(b"\n", 0, piece.start)
        return f"line {line} column {column}"

    return error | {"msg": _LINE_AND_COLUMN.sub(move, str(error["msg"]))}


def _whole_body(message: str) -> Errors:
    return [{"loc": ["body"], "msg": message, "type": "value_error"}]
