import contextlib
import math
from typing import Any

import msgspec
import numpy as np
import pytest

from shared.schema.decoder import Decoder
from shared.schema.features import Feature
from tests.support.titanic import FEATURES, SCHEMA

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


def test_a_record_is_called_by_the_name_of_its_class() -> None:
    assert SCHEMA.record_name == "passenger"


# --- which values are sound ----------------------------------------------------------------------

LARGEST = float(np.finfo(np.float32).max)


def number(**rules: Any) -> Feature:
    return Feature(name="mass", kind="number", required=False, **rules)


@pytest.mark.parametrize(
    ("feature", "sound", "unsound"),
    [
        (number(), [0.0, -0.0, 1.5, LARGEST, -LARGEST, 5e-324], [math.inf, -math.inf, math.nan]),
        (number(), [], [1e39, -1e308, math.nextafter(LARGEST, math.inf)]),
        (number(minimum=0.1), [0.1, LARGEST], [math.nextafter(0.1, 0), -0.0, 1e39]),
        (number(maximum=120), [120.0, -LARGEST], [120.00000000000001, math.inf]),
        (number(minimum=-1e308, maximum=1e308), [LARGEST], [1e300, -1e300]),
        (number(whole=True), [0.0, -3.0, 2.0**60], [0.5, 2.9999999999, 1e-10, math.inf]),
    ],
)
def test_a_sound_number_is_finite_in_bounds_and_whole_if_it_must_be(
    feature: Feature, sound: list[float], unsound: list[float]
) -> None:
    assert feature.sound(np.array(sound)).tolist() == [True] * len(sound)
    assert feature.sound(np.array(unsound)).tolist() == [False] * len(unsound)


def test_a_sound_category_is_one_of_the_categories_and_nothing_that_equals_one() -> None:
    values = np.array(["C", "Q", "c", "", None, 1, True, ["C"], math.nan], object)
    assert BY_NAME["Embarked"].sound(values).tolist() == [True, True] + [False] * 7


def test_a_missing_value_is_allowed_in_an_optional_column_only() -> None:
    for feature in FEATURES:
        column = np.array([feature.missing], feature.dtype)
        assert feature.is_missing(column).tolist() == [True]
        assert feature.sound(column).tolist() == [False]
        assert feature.allowed(column).tolist() == [not feature.required]


def test_no_rows_are_sound() -> None:
    for feature in FEATURES:
        assert feature.allowed(np.array([], feature.dtype)).tolist() == []


def test_bounds_that_are_not_sound_themselves_are_kept() -> None:
    feature = number(above=0, below=1000)
    assert feature.expected == "a number more than 0 and less than 1000"
    values = np.array([-50.0, 0.0, 5e-324, 999.9999999999999, 1000.0])
    assert feature.sound(values).tolist() == [False, False, True, True, False]
    decoder = Decoder([feature])
    for value, sound in [("-50", False), ("0", False), ("5e-324", True), ("1000", False)]:
        with contextlib.nullcontext() if sound else pytest.raises(msgspec.ValidationError):
            decoder.decode(f'[{{"mass": {value}}}]'.encode())


def test_a_manifest_has_bounds_that_older_releases_do_not_know_only_if_they_are_needed() -> None:
    assert "above" not in BY_NAME["Age"].model_dump()
    assert number(above=0).model_dump()["above"] == 0
