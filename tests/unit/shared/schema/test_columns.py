import numpy as np
import pytest

from tests.support.records import columns
from tests.support.titanic import FEATURES, decode, to_columns

NUMBERS = [feature.name for feature in FEATURES if feature.kind == "number"]
CATEGORIES = [feature.name for feature in FEATURES if feature.kind == "category"]
SOUND: dict[str, object] = {"Sex": "male"}


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_every_feature_is_one_column_in_the_features_order(rows: int) -> None:
    found = columns([{"Sex": "male"}] * rows)
    assert list(found) == [feature.name for feature in FEATURES]
    assert {column.shape for column in found.values()} == {(rows, 1)}
    assert {found[name].dtype for name in NUMBERS} == {np.dtype(np.float32)}
    assert {found[name].dtype for name in CATEGORIES} == {np.dtype(object)}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_missing_number_is_nan_whether_null_or_absent(name: str) -> None:
    column = columns([SOUND | {name: None}, SOUND, SOUND | {name: 1}])[name]
    assert np.isnan(column[:, 0]).tolist() == [True, True, False]


@pytest.mark.parametrize("name", [name for name in CATEGORIES if name not in SOUND])
def test_a_missing_category_is_an_empty_string_whether_null_or_absent(name: str) -> None:
    column = columns([SOUND | {name: None}, SOUND, SOUND | {name: "C"}])[name]
    assert column[:, 0].tolist() == ["", "", "C"]


def test_the_rows_keep_the_records_order_and_values() -> None:
    found = columns([{"Age": 22, "Sex": "male", "Fare": 0.0}, {"Age": 0.5, "Sex": "female"}])
    assert found["Age"][:, 0].tolist() == [22.0, 0.5]
    assert found["Sex"][:, 0].tolist() == ["male", "female"]
    assert found["Fare"][0, 0] == 0.0


def test_every_number_type_of_json_is_taken_as_it_is_meant() -> None:
    found = to_columns(
        decode(b'[{"Sex": "male", "Age": 1e1, "Pclass": 2.0, "SibSp": 3, "Fare": -0.0}]')
    )
    assert [float(found[name][0, 0]) for name in ("Age", "Pclass", "SibSp", "Fare")] == [
        *(10.0, 2.0, 3.0, 0.0)
    ]
