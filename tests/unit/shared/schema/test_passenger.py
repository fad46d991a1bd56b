import json
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from tests.support.titanic import EXAMPLES, Passenger

PASSENGER = TypeAdapter(Passenger)
OPTIONAL = ("Age", "Embarked", "Pclass", "SibSp", "Parch", "Fare")


def refusal(text: str | bytes) -> dict[str, Any]:
    """The one thing that is wrong with a passenger."""
    with pytest.raises(ValidationError) as refused:
        PASSENGER.validate_json(text)
    (error,) = refused.value.errors()
    return dict(error)


def with_field(field: str, value: str) -> str:
    sex = "" if field == "Sex" else '"Sex": "male", '
    return f'{{{sex}"{field}": {value}}}'


@pytest.mark.parametrize("passenger", EXAMPLES)
def test_the_original_clients_passengers_are_accepted(passenger: dict[str, object]) -> None:
    assert PASSENGER.validate_json(json.dumps(passenger)) == passenger


def test_a_passenger_with_every_field_is_accepted() -> None:
    whole = {
        "Age": 0.42,
        "Sex": "female",
        "Embarked": "Q",
        "Pclass": 3,
        "SibSp": 0,
        "Parch": 2,
        "Fare": 7.75,
    }
    assert PASSENGER.validate_json(json.dumps(whole)) == whole


@pytest.mark.parametrize("field", OPTIONAL)
def test_an_optional_field_may_be_null_or_absent(field: str) -> None:
    assert PASSENGER.validate_json(with_field(field, "null")).get(field) is None
    assert PASSENGER.validate_json('{"Sex": "male"}').get(field) is None


@pytest.mark.parametrize("text", ["{}", '{"Sex": null}', '{"Sex": ""}', '{"Sex": "Male"}'])
def test_the_sex_is_required_and_one_of_two_words(text: str) -> None:
    assert refusal(text)["loc"] == ("Sex",)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Age", "0"),
        ("Age", "120"),
        ("Pclass", "1"),
        ("Pclass", "3"),
        ("SibSp", "0"),
        ("SibSp", "100"),
        ("Parch", "0"),
        ("Parch", "100"),
        ("Fare", "0"),
        ("Fare", "1000000"),
    ],
)
def test_the_ends_of_a_range_belong_to_it(field: str, value: str) -> None:
    assert PASSENGER.validate_json(with_field(field, value))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Age", "-0.1"),
        ("Age", "120.1"),
        ("Pclass", "0"),
        ("Pclass", "4"),
        ("SibSp", "-1"),
        ("SibSp", "101"),
        ("Parch", "-1"),
        ("Parch", "101"),
        ("Fare", "-0.01"),
        ("Fare", "1000000.5"),
        ("Fare", "1e39"),
        ("Embarked", '"X"'),
        ("Embarked", '""'),
        ("Embarked", '"s"'),
    ],
)
def test_a_value_outside_its_range_is_refused(field: str, value: str) -> None:
    assert refusal(with_field(field, value))["loc"] == (field,)


@pytest.mark.parametrize("field", ["Age", "Pclass", "SibSp", "Parch", "Fare"])
@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400"])
def test_a_number_that_is_not_finite_is_refused(field: str, value: str) -> None:
    assert refusal(with_field(field, value))["loc"] == (field,)


@pytest.mark.parametrize("field", ["Age", "Pclass", "SibSp", "Parch", "Fare"])
@pytest.mark.parametrize("value", ["true", "false", '"1"', '""', "[1]", "{}"])
def test_only_a_number_is_a_number(field: str, value: str) -> None:
    assert refusal(with_field(field, value))["loc"] == (field,)


@pytest.mark.parametrize("field", ["Sex", "Embarked"])
@pytest.mark.parametrize("value", ["true", "1", "[]", "{}"])
def test_only_a_string_is_a_category(field: str, value: str) -> None:
    assert refusal(with_field(field, value))["loc"] == (field,)


@pytest.mark.parametrize("field", ["Pclass", "SibSp", "Parch"])
def test_a_whole_number_may_be_written_with_a_point_but_has_no_fraction(field: str) -> None:
    assert PASSENGER.validate_json(with_field(field, "3.0")) == {"Sex": "male", field: 3.0}
    assert refusal(with_field(field, "1.5"))["loc"] == (field,)


@pytest.mark.parametrize("field", ["Age", "Fare"])
def test_a_measure_may_have_a_fraction(field: str) -> None:
    assert PASSENGER.validate_json(with_field(field, "1.5")) == {"Sex": "male", field: 1.5}


@pytest.mark.parametrize("field", ["age", "sex", "Survived", "PassengerId", ""])
def test_an_unknown_field_is_refused_and_named(field: str) -> None:
    error = refusal(with_field(field, "1"))
    assert (error["loc"], error["type"]) == ((field,), "extra_forbidden")


@pytest.mark.parametrize(
    "text",
    [
        rb'{"Sex": "\ud800"}',
        rb'{"Sex": "male", "\udfff": 1}',
        b'{"Sex": "\xff"}',
        b'{"Sex": "male", "\xc3\x28": 1}',
        b"\xff\xfe{\x00}\x00",
        b'{"Sex": "male", "Age": ' + b"9" * 5000 + b"}",
        b'{"Sex": "male"',
        b"",
    ],
)
def test_what_is_no_json_is_refused_as_such(text: bytes) -> None:
    assert refusal(text)["type"] == "json_invalid"


@pytest.mark.parametrize("text", ["[]", "1", "null", '"male"'])
def test_a_passenger_is_an_object(text: str) -> None:
    assert refusal(text)["type"] == "dict_type"
