import json
from typing import Any

import pytest

from api.serving.predictor import predict
from api.serving.served_model import ServedModel
from shared.versions.onnx_model import OnnxModel
from tests.support import titanic
from tests.support.records import columns
from tests.support.titanic import EXAMPLES
from tests.support.versions import exported_pipeline


@pytest.fixture(scope="module")
def served() -> ServedModel:
    model = OnnxModel(exported_pipeline(), titanic.SCHEMA)
    return titanic.served_model("20260102-030405-abcdef", model)


def answer(served: ServedModel, passengers: list[dict[str, Any]]) -> dict[str, Any]:
    answered: dict[str, Any] = json.loads(predict(columns(passengers), served).json())
    return answered


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
