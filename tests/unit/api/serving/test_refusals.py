import json
from typing import Any

import pytest

from api.limits import MAX_ERRORS
from api.serving.refusals import Refusals
from shared.schema.decoder import REFUSED, Decoder
from shared.schema.features import Feature
from tests.support.titanic import FEATURES, decode, explain, schema_of

MAX_ROWS = 10_000


def errors(body: bytes) -> list[dict[str, Any]]:
    with pytest.raises(REFUSED):
        decode(body)
    explained = explain(body, MAX_ROWS)
    # As it is sent: every error can be written as JSON.
    sent: list[dict[str, Any]] = json.loads(json.dumps(explained, allow_nan=False).encode())
    return sent


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Age", "-123456"),
        ("Age", '"123456"'),
        ("Age", "NaN"),
        ("Age", "Infinity"),
        ("Age", "1e400"),
        ("Fare", "-123456e3"),
        ("SibSp", "0.123456"),
        ("Embarked", '"123456"'),
        ("Embarked", '["123456"]'),
        ("Pclass", "123456"),
    ],
)
def test_an_error_names_passenger_and_field_and_never_repeats_the_value(
    field: str, value: str
) -> None:
    body = f'[{{"Sex": "male"}}, {{"Sex": "male"}}, {{"Sex": "male", "{field}": {value}}}]'
    (error,) = errors(body.encode())
    assert error["loc"] == ["body", 2, field]
    assert error["msg"].startswith(f"passenger 2, {field}: ")
    assert set(error) == {"loc", "msg", "type"}
    assert "123456" not in json.dumps(error)


def test_an_unknown_field_is_an_error_of_that_field() -> None:
    (error,) = errors(b'[{"Sex": "male", "age": 22}]')
    assert error["loc"] == ["body", 0, "age"]
    assert "passenger 0, age" in error["msg"]


def test_a_passenger_that_is_none_is_named() -> None:
    (error,) = errors(b'[{"Sex": "male"}, 123456]')
    assert error["loc"] == ["body", 1]
    assert error["msg"].startswith("passenger 1: ")
    assert "123456" not in json.dumps(error)


def test_every_error_of_a_passenger_is_named() -> None:
    found = errors(b'[{"Age": -1, "Embarked": "X"}]')
    assert sorted(error["loc"][-1] for error in found) == ["Age", "Embarked", "Sex"]


@pytest.mark.parametrize(("bad", "reported"), [(19, 19), (20, 20), (21, 20), (5000, 20)])
def test_only_the_first_twenty_errors_are_reported(bad: int, reported: int) -> None:
    found = errors(json.dumps([{"Sex": "male", "Age": -1}] * bad).encode())
    assert MAX_ERRORS == 20
    assert [error["loc"][1] for error in found] == list(range(reported))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'[{"Sex": "secret\xff"}]',
        rb'[{"Sex": "\ud800"}]',
        rb'[{"\udfff": "secret"}]',
        b"[" * 100_000,
        b'[{"Sex": "male", "Age": ' + b"9" * 400 + b"}]",
        b'[{"Sex": "male", "Age": ' + b"9" * 5000 + b"}]",
        b'{"Sex": "secret"}',
        b'"secret"',
        b"null",
        b"NaN",
    ],
)
def test_a_body_that_is_no_list_of_json_is_one_error_without_the_body(body: bytes) -> None:
    (error,) = errors(body)
    assert error["loc"][0] == "body"
    assert "secret" not in json.dumps(error) and "9999" not in json.dumps(error)


def test_the_answer_does_not_grow_with_the_name_of_an_unknown_field() -> None:
    (error,) = errors(b'[{"Sex": "male", "' + b"x" * 1_000_000 + b'": 1}]')
    assert len(json.dumps(error)) < 10_000


def test_a_field_that_is_given_twice_and_wrong_once_is_named() -> None:
    (error,) = errors(b'[{"Sex": "secret", "Sex": "female"}]')
    assert error["loc"] == ["body", 0, "Sex"]
    assert error["msg"].startswith("passenger 0, Sex: the field is given more than once")
    assert "secret" not in error["msg"]


@pytest.mark.parametrize("value", ["2.9999999999", "1e-10", "5e-324"])
def test_what_pydantic_calls_whole_and_is_not_is_named(value: str) -> None:
    (error,) = errors(b'[{"Sex": "male"}, {"Sex": "male", "SibSp": %s}]' % value.encode())
    assert error == {
        "loc": ["body", 1, "SibSp"],
        "msg": "passenger 1, SibSp: Input should be a whole number",
        "type": "multiple_of",
    }


NUMBERS = (
    *("1e400", "-1e400", "1e5000", "9" * 30, "9" * 400, "9" * 5000, "1" + "0" * 400, "-1e-10"),
    *("1.0000000001", "2.9999999999", "99.9999999999", "100.0000000001", "120.00000001", "1e-320"),
    *("1.0", "1E0", "10e-1", "-0.0", "1.00000000000000001", "1." + "0" * 5000 + "1", "1e-400"),
    *("true", "NaN", "-Infinity"),
)


@pytest.mark.parametrize("name", [feature.name for feature in FEATURES if feature.kind == "number"])
def test_a_number_that_is_refused_is_named_by_its_row_and_field(name: str) -> None:
    for value in NUMBERS:
        body = f'[{{"Sex": "male"}}, {{"Sex": "male", "{name}": {value}}}]'.encode()
        try:
            decode(body)
        except REFUSED:
            (error,) = explain(body, MAX_ROWS)
            assert error["loc"] == ["body", 1, name], value[:20]
            assert "more than once" not in str(error["msg"]), value[:20]


def test_the_first_twenty_of_these_are_reported_in_the_order_of_the_records() -> None:
    records = [{"Sex": "male", "Parch" if i % 2 else "SibSp": 1e-10} for i in range(1000)]
    found = errors(json.dumps(records).encode())
    assert [error["loc"][1] for error in found] == list(range(MAX_ERRORS))


def test_a_number_without_bounds_is_refused_where_float32_cannot_hold_it() -> None:
    mass = Feature(name="mass", kind="number", required=False)
    records: list[dict[str, Any]] = [{"mass": 3.4e38}, {"mass": None}, {"mass": -1e39}, {}]
    refusals = Refusals(schema_of([mass]), Decoder([mass]))
    (error,) = refusals._unsound([*enumerate(records)])
    assert (error["loc"], error["type"]) == (["body", 2, "mass"], "finite_number")
    assert "float32" in str(error["msg"])
