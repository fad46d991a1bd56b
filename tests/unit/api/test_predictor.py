import json
from typing import Any

import pytest

from api.predictor import (
    MAX_ERRORS,
    ServedModel,
    ServedModelHolder,
    explain,
    predict,
    served_model,
)
from shared.errors import NoModelYet
from shared.onnx_model import OnnxModel
from shared.passenger import EXAMPLES
from shared.record import REFUSED, decode
from tests.unit.records import columns
from tests.versions import exported_pipeline


@pytest.fixture(scope="module")
def served() -> ServedModel:
    return ServedModel("20260102-030405-abcdef", OnnxModel(exported_pipeline()))


def answer(served: ServedModel, passengers: list[dict[str, Any]]) -> dict[str, Any]:
    answered: dict[str, Any] = json.loads(predict(columns(passengers), served).json())
    return answered


def errors(body: bytes) -> list[dict[str, Any]]:
    with pytest.raises(REFUSED) as refused:
        decode(body)
    explained = explain(body, refused.value)
    # As it is sent: every error can be written as JSON.
    sent: list[dict[str, Any]] = json.loads(json.dumps(explained, allow_nan=False).encode())
    return sent


# --- answers -------------------------------------------------------------------------------------


def test_the_original_client_gets_its_answer(served: ServedModel) -> None:
    answered = answer(served, EXAMPLES)
    assert set(answered) == {"predictions", "probabilities", "model_version"}
    assert answered["predictions"] == [0, 1]
    assert answered["model_version"] == served.version


def test_answers_come_in_the_order_asked_for(served: ServedModel) -> None:
    passengers: list[dict[str, Any]] = [
        {"Sex": sex, "Age": age, "Pclass": 1 + age % 3}
        for age in range(0, 100, 7)
        for sex in ("male", "female")
    ]
    there = answer(served, passengers)
    back = answer(served, passengers[::-1])
    assert there["predictions"] == back["predictions"][::-1]
    assert there["probabilities"] == back["probabilities"][::-1]
    assert len(set(there["probabilities"])) > 10


def test_a_prediction_is_the_more_probable_label(served: ServedModel) -> None:
    answered = answer(served, [{"Sex": s, "Fare": f} for s in ("male", "female") for f in range(9)])
    assert all(0 < p < 1 for p in answered["probabilities"])
    assert answered["predictions"] == [int(p > 0.5) for p in answered["probabilities"]]


def test_an_empty_list_is_answered_with_empty_lists(served: ServedModel) -> None:
    answered = answer(served, [])
    assert (answered["predictions"], answered["probabilities"]) == ([], [])
    assert answered["model_version"] == served.version


def test_null_and_absent_are_the_same(served: ServedModel) -> None:
    null = {"Sex": "male", "Age": None, "Embarked": None, "Pclass": None, "Fare": None}
    answered = answer(served, [{"Sex": "male"}, null])
    assert answered["probabilities"][0] == answered["probabilities"][1]


def test_whole_numbers_may_be_written_with_a_point(served: ServedModel) -> None:
    whole, point = {"Sex": "male", "SibSp": 3, "Pclass": 1}, {"Sex": "male", "SibSp": 3.0}
    answered = answer(served, [whole, point | {"Pclass": 1.0}])
    assert answered["probabilities"][0] == answered["probabilities"][1]


# --- errors --------------------------------------------------------------------------------------


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
    assert error["loc"] == ["body"]
    assert "more than once" in error["msg"] and "$[0].Sex" in error["msg"]
    assert "secret" not in error["msg"]


# --- the holder ----------------------------------------------------------------------------------


def test_before_the_first_model_a_prediction_says_how_to_get_one() -> None:
    holder = ServedModelHolder()
    assert holder.version is None
    with pytest.raises(NoModelYet, match="PUT /run-pipeline"):
        served_model(holder)


def test_what_is_held_is_what_is_served(served: ServedModel) -> None:
    holder = ServedModelHolder()
    holder.current = served
    assert holder.version == served.version
    assert served_model(holder) is served


def test_a_served_model_keeps_its_version(served: ServedModel) -> None:
    with pytest.raises(AttributeError):
        served.version = "another"  # type: ignore[misc]
