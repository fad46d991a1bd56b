import pytest

from shared.schema.features import FEATURES, RECORD_NAME, Feature, _features

BY_NAME = {feature.name: feature for feature in FEATURES}
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


@pytest.mark.parametrize(
    ("minimum", "maximum", "said"),
    [
        (None, None, "a number"),
        (0, None, "a number at least 0"),
        (None, 1_000_000, "a number at most 1000000"),
        (0, 120, "a number at least 0 and at most 120"),
    ],
)
def test_what_is_expected_is_said_with_the_bounds_there_are(
    minimum: float | None, maximum: float | None, said: str
) -> None:
    feature = Feature(name="Age", kind="number", required=False, minimum=minimum, maximum=maximum)
    assert feature.expected == said


def test_of_a_category_the_choices_are_said() -> None:
    assert BY_NAME["Embarked"].expected == "one of 'C', 'Q', 'S'"


def test_a_record_may_have_no_required_field() -> None:
    (feature,) = _features({"properties": {"mass": {"type": "number"}}})
    assert not feature.required


def test_a_record_is_called_by_the_name_of_its_class() -> None:
    assert RECORD_NAME == "passenger"
