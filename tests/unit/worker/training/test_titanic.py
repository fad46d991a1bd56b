import importlib

import numpy as np
import pandas as pd
import pytest

from tests.support.fits import cross_validation
from tests.support.records import columns
from tests.support.titanic import EXAMPLES, FEATURES
from tests.support.versions import definition, fitted_pipeline, training_table

WHAT_THE_ORIGINAL_CLIENT_SENDS = ("Age", "Sex", "Embarked")


def frame(records: list[dict[str, object]]) -> pd.DataFrame:
    return pd.DataFrame({name: column[:, 0] for name, column in columns(records).items()})


def blanked(features: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    missing = {f.name: np.float32(np.nan) if f.kind == "number" else "" for f in FEATURES}
    return features.assign(**{name: missing[name] for name in names})


@pytest.mark.slow
def test_passengers_it_never_saw_are_ranked_well() -> None:
    assert cross_validation().evaluation.metrics["roc_auc"].mean >= 0.86


def test_passengers_it_never_saw_are_mostly_right() -> None:
    assert cross_validation().evaluation.metrics["accuracy"].mean >= 0.815


def test_age_sex_and_port_alone_are_mostly_right_too() -> None:
    features = training_table().features
    others = [name for name in features.columns if name not in WHAT_THE_ORIGINAL_CLIENT_SENDS]
    assert cross_validation().accuracy(blanked(features, others)) >= 0.78


def test_the_two_passengers_of_the_original_client_get_its_answers() -> None:
    assert fitted_pipeline().predict(frame(EXAMPLES)).tolist() == [0, 1]


@pytest.mark.parametrize("feature", [f.name for f in FEATURES if not f.required])
def test_any_optional_field_may_be_missing(feature: str) -> None:
    features = blanked(training_table().features, [feature])
    probabilities = fitted_pipeline().predict_proba(features)
    assert np.isfinite(probabilities).all()
    assert np.allclose(probabilities.sum(axis=1), 1)


def test_a_category_it_never_saw_is_answered() -> None:
    unseen = frame([{"Sex": "male"}]).assign(Sex="?", Embarked="?")
    (probabilities,) = fitted_pipeline().predict_proba(unseen)
    assert np.isfinite(probabilities).all()


def test_the_same_table_gives_the_same_model() -> None:
    table = training_table()
    again = definition().fit(table.features, table.target)
    expected = fitted_pipeline().predict_proba(table.features)
    assert np.array_equal(again.predict_proba(table.features), expected)


@pytest.mark.parametrize("feature", ["Age", "Embarked"])
def test_a_column_that_is_all_missing_can_be_learned_from(feature: str) -> None:
    table = training_table()
    features, labels = blanked(table.features, [feature])[:200], table.target[:200]
    fitted = definition().fit(features, labels)
    assert np.mean(fitted.predict(features) == labels) > 0.8


@pytest.mark.parametrize("rows", [20, 1782, 1_000_000, 10_000_000])
def test_no_tree_sees_more_rows_than_can_be_fitted_in_time(rows: int) -> None:
    model = importlib.import_module("examples.titanic.model")
    share = model.build_pipeline(rows).named_steps["classifier"].subsample
    assert 0 < share <= 1
    assert share * rows <= 100_000
