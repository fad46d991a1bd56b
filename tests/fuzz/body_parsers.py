"""What the fuzzer asks of the parsers of bodies: `make fuzz`, or for longer

    .venv/bin/python -m tests.fuzz -max_total_time=3600

and, for an input that it has found and written to a file, `.venv/bin/python -m tests.fuzz FILE`.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from pydantic import TypeAdapter, ValidationError

from api.limits import MAX_ERRORS
from api.serving.tensors.reader import columns_of
from api.serving.tensors.small import SmallRequests
from api.v2.messages import example
from api.v2.question import Question, opened, read, small
from shared.errors import BadTensors, TooManyRows
from shared.schema.decoder import REFUSED
from tests.support.titanic import (
    EXAMPLES,
    FEATURES,
    READERS,
    SCHEMA,
    Passenger,
    decode,
    explain,
    to_columns,
)

EXAMPLE = example(SCHEMA)
_OUTPUTS = ("label", "probabilities")
_PASSENGERS = TypeAdapter(list[Passenger])
_PREDICT, _TENSORS, _BINARY = 0, 1, 2
_SMALL = SmallRequests(READERS)
_MANY = 1_000_000
"""Rows; more than the fuzzer writes."""
_SEX = b"".join(len(sex).to_bytes(4, "little") + sex for sex in (b"male", b"female"))
_BINARY_INPUTS: list[dict[str, Any]] = [
    {"name": "Sex", "shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": 18}},
    {"name": "Age", "shape": [2], "datatype": "FP32", "parameters": {"binary_data_size": 8}},
]
_BINARY_HEAD = json.dumps({"inputs": _BINARY_INPUTS}).encode()

SEEDS = [
    bytes([_PREDICT]) + json.dumps(EXAMPLES).encode(),
    bytes([_PREDICT]) + b'[{"Sex": "male", "Pclass": 3.0, "SibSp": 0, "Parch": null, "Fare": 7e1}]',
    bytes([_TENSORS]) + json.dumps(EXAMPLE).encode(),
    bytes([_BINARY])
    + len(_BINARY_HEAD).to_bytes(2, "little")
    + _BINARY_HEAD
    + _SEX
    + np.array([22, math.nan], "<f4").tobytes(),
]
"""Sound inputs to begin with. The first byte says which parser is meant."""

WORDS = [
    *(f'"{feature.name}"' for feature in FEATURES),
    *(f'"{category}"' for feature in FEATURES for category in feature.categories),
    *(
        "NaN",
        "Infinity",
        "1e400",
        "1e-400",
        "9" * 30,
        "-0.0",
        "120.00000000000001",
        "2.9999999999",
        "null",
        "true",
    ),
    *('"inputs"', '"outputs"', '"parameters"', '"binary_data_size"', '"data"', '"shape"', '"FP64"'),
    *('"INT8"', '"UINT64"', '"FP16"', '"BYTES"', "\\ud800", "\xef\xbb\xbf", "[[", "]]", "{}"),
]


def check(data: bytes) -> None:
    """Raises AssertionError, or whatever a parser should not have raised."""
    kind, rest = data[:1], data[1:]
    if kind == bytes([_TENSORS]):
        check_tensors(rest, None)
    elif kind == bytes([_BINARY]):
        check_tensors(rest[2:], str(int.from_bytes(rest[:2], "little")))
    else:
        check_records(rest)


def check_records(body: bytes) -> None:
    """What the decoder takes, Pydantic takes with the same values; what it refuses, is explained.

    Where only the decoder refuses, a field comes twice.
    """
    try:
        theirs = _PASSENGERS.validate_json(body)
    except ValidationError:
        theirs = None
    if theirs is not None and not all(_is_whole(passenger) for passenger in theirs):
        # Pydantic calls 2.9999999999 whole.
        theirs = None
    try:
        ours = decode(body)
    except REFUSED:
        explained = explain(body, _MANY)
        assert 1 <= len(explained) <= MAX_ERRORS
        json.dumps(explained, allow_nan=False).encode()
        assert theirs is None or _has_a_name_twice(body)
        return
    assert theirs is not None, "the decoder takes what Pydantic refuses"
    assert [_present(msgspec.to_builtins(record)) for record in ours] == [
        _present({**passenger}) for passenger in theirs
    ]
    assert {len(column) for column in to_columns(ours).values()} == {len(ours)}


def check_tensors(body: bytes, header_length: str | None) -> None:
    """Columns that are taken hold what a list of records could have said."""
    try:
        question = read(opened(body, header_length, _MANY, READERS), _MANY, READERS, _OUTPUTS)
    except (BadTensors, TooManyRows) as error:
        str(error).encode()
        question = None
    _check_at_once(body, header_length, question)
    if question is None:
        return
    columns = columns_of([question.values], READERS)
    assert list(columns) and {*columns} == {feature.name for feature in FEATURES}
    records = [
        _present(dict(zip(columns, row, strict=True)))
        for row in zip(*(column[:, 0].tolist() for column in columns.values()), strict=True)
    ]
    assert [{**passenger} for passenger in _PASSENGERS.validate_python(records)] == records


def _check_at_once(body: bytes, header_length: str | None, question: Question | None) -> None:
    """What is read in one call is what is read tensor by tensor."""
    try:
        at_once = small(body, header_length, _MANY, _SMALL, READERS, _OUTPUTS)
    except BadTensors:
        at_once = None
        assert question is None
    if at_once is not None:
        assert question is not None, "what is refused tensor by tensor is read in one call"
        assert at_once.outputs == question.outputs and at_once.id == question.id
        one, other = (columns_of([each.values], READERS) for each in (at_once, question))
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def _present(record: dict[str, Any]) -> dict[str, Any]:
    """Without what is missing, however that is written."""
    return {
        name: value for name, value in record.items() if value not in (None, "") and value == value
    }


def _is_whole(passenger: Mapping[str, Any]) -> bool:
    """Whether the numbers that must be whole are."""
    numbers = [passenger.get(feature.name) or 0.0 for feature in FEATURES if feature.whole]
    return all(number.is_integer() for number in numbers)


def _has_a_name_twice(body: bytes) -> bool:
    found = False

    def note(pairs: list[tuple[str, Any]]) -> None:
        nonlocal found
        found = found or len({name for name, _ in pairs}) < len(pairs)

    json.loads(body, object_pairs_hook=note)
    return found
