import numpy as np
import pytest

from shared.features import FEATURES, to_columns

BY_NAME = {feature.name: feature for feature in FEATURES}
NUMBERS = [feature.name for feature in FEATURES if feature.kind == "number"]
CATEGORIES = [feature.name for feature in FEATURES if feature.kind == "category"]


def test_the_features_are_the_fields_of_a_record_in_its_order() -> None:
    names = [feature.name for feature in FEATURES]
    assert names == ["Age", "Sex", "Embarked", "Pclass", "SibSp", "Parch", "Fare"]


def test_what_the_record_says_of_a_field_the_feature_says_too() -> None:
    assert CATEGORIES == ["Sex", "Embarked"]
    assert [feature.name for feature in FEATURES if feature.required] == ["Sex"]
    assert [feature.name for feature in FEATURES if feature.whole] == ["Pclass", "SibSp", "Parch"]
    assert BY_NAME["Sex"].categories == ("male", "female")
    assert BY_NAME["Embarked"].categories == ("C", "Q", "S")
    assert (BY_NAME["Age"].minimum, BY_NAME["Age"].maximum) == (0, 120)
    assert (BY_NAME["Pclass"].minimum, BY_NAME["Pclass"].maximum) == (1, 3)
    assert (BY_NAME["Fare"].minimum, BY_NAME["Fare"].maximum) == (0, 1_000_000)


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_every_feature_is_one_column_in_the_features_order(rows: int) -> None:
    columns = to_columns([{"Sex": "male"}] * rows)
    assert list(columns) == [feature.name for feature in FEATURES]
    assert {column.shape for column in columns.values()} == {(rows, 1)}
    assert {columns[name].dtype for name in NUMBERS} == {np.dtype(np.float32)}
    assert {columns[name].dtype for name in CATEGORIES} == {np.dtype(object)}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_missing_number_is_nan_whether_null_or_absent(name: str) -> None:
    column = to_columns([{name: None}, {}, {name: 0}])[name]
    assert np.isnan(column[:, 0]).tolist() == [True, True, False]


@pytest.mark.parametrize("name", CATEGORIES)
def test_a_missing_category_is_an_empty_string_whether_null_or_absent(name: str) -> None:
    column = to_columns([{name: None}, {}, {name: "C"}])[name]
    assert column[:, 0].tolist() == ["", "", "C"]


def test_the_rows_keep_the_records_order_and_values() -> None:
    columns = to_columns([{"Age": 22, "Sex": "male", "Fare": 0.0}, {"Age": 0.5, "Sex": "female"}])
    assert columns["Age"][:, 0].tolist() == [22.0, 0.5]
    assert columns["Sex"][:, 0].tolist() == ["male", "female"]
    assert columns["Fare"][0, 0] == 0.0
