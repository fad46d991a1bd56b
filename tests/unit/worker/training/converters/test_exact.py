"""Every kind of estimator on a table with gaps, unseen categories and values beside thresholds."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from tests.support.any_table import CATEGORIES, KINDS, NUMBERS, only, proved, table_of
from tests.support.estimators import (
    CLASSIFIERS,
    PREPROCESSING,
    REGRESSORS,
    categorical,
    imputed,
    one_hot,
    scaled,
    with_gaps,
)
from worker.training import parity as proof

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]

_INEXACT = {
    *("RidgeClassifier", "LinearSVC", "SVC", "Calibrated(isotonic)", "Voting(hard)"),
    *("DummyClassifier", "GaussianProcessClassifier", "SVR(C=1000)", "DummyRegressor"),
    *("TransformedTarget(PowerTransformer)", "KNeighborsClassifier", "KNeighborsRegressor"),
    "KNeighborsClassifier(distance)",
}
_INEXACT_STEPS = (
    *("SplineTransformer", "QuantileTransformer(normal)", "Nystroem", "KNNImputer"),
    *("FunctionTransformer(lambda)", "IterativeImputer"),
)


_QUICK = (
    *("HistGradientBoosting", "HistGradientBoosting(categorical)", "RandomForest", "DecisionTree"),
    *("HistGradientBoosting(strings)", "StandardScaler, RandomForest", "nested columns"),
    *("columns, StandardScaler, HistGradientBoosting", "LogisticRegression", "Ridge"),
    *("Voting(weights)", "Calibrated(HistGradientBoosting, sigmoid)", "selector of columns"),
    "TransformedTarget(log, HistGradientBoosting)",
)
"""The cases that `make check` and `make test` run, too; all together take minutes."""


def _cases(names: Iterable[str]) -> list[Any]:
    return [
        pytest.param(name, marks=[] if name in _QUICK else pytest.mark.thorough)
        for name in names
        if name not in _INEXACT and not name.startswith(_INEXACT_STEPS)
    ]


@pytest.fixture(autouse=True)
def few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at fewer of the rows beside thresholds, because every test would take seconds."""
    monkeypatch.setattr(proof, "_MAX_THRESHOLD_ROWS", 2_000)


@pytest.mark.parametrize("name", _cases(CLASSIFIERS))
def test_a_classifier_is_exact(name: str) -> None:
    assert proved(CLASSIFIERS[name](), table_of("multiclass", 120)).max_difference < 3e-6


@pytest.mark.thorough
@pytest.mark.parametrize("name", _cases(CLASSIFIERS))
def test_a_classifier_of_two_labels_is_exact(name: str) -> None:
    assert proved(CLASSIFIERS[name](), table_of("binary", 120)).max_difference < 3e-6


@pytest.mark.parametrize("name", _cases(REGRESSORS))
def test_a_regressor_is_exact(name: str) -> None:
    assert proved(REGRESSORS[name](), table_of("regression", 120)).max_difference < 9e-6


@pytest.mark.parametrize("name", _cases(PREPROCESSING))
def test_a_step_before_a_linear_model_and_before_trees_is_exact(name: str) -> None:
    assert proved(PREPROCESSING[name](), table_of("regression", 120)).max_difference < 9e-6


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "regression"])
@pytest.mark.parametrize(
    "make",
    [
        lambda: categorical(HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=5)),
        lambda: with_gaps(RandomForestClassifier(5, random_state=0, class_weight="balanced")),
        lambda: scaled(LogisticRegression()),
    ],
)
def test_labels_of_every_type_are_places_among_the_classes(make: Any, kind: str) -> None:
    assert proved(make(), table_of(kind)).labels_differ == 0


def test_a_bare_estimator_takes_the_numbers_as_they_are() -> None:
    table = only(table_of("regression"), NUMBERS)
    estimator = HistGradientBoostingRegressor(max_iter=5, monotonic_cst=[1, 0, 0, 0])
    assert proved(estimator, table).max_difference < 3e-6


def test_a_bare_estimator_takes_a_single_number() -> None:
    assert proved(Ridge(), only(table_of("regression"), ["weight"])).rows > 0


def test_a_pipeline_without_columns_takes_the_numbers() -> None:
    table = only(table_of("regression"), NUMBERS)
    steps = make_pipeline(FunctionTransformer(np.abs), SimpleImputer(), Ridge())
    assert proved(steps, table).rows > 0


def test_a_model_of_categories_alone_is_exact() -> None:
    table = only(table_of("binary"), CATEGORIES)
    assert proved(make_pipeline(one_hot(), LogisticRegression()), table).rows > 0


@pytest.mark.parametrize("categories", [[1, 3], [False, True, False, True, False, False]])
def test_categories_are_named_by_place_or_mask(categories: Any) -> None:
    estimator = HistGradientBoostingClassifier(max_iter=5, categorical_features=categories)
    assert proved(estimator, table_of("strings")).max_difference < 3e-6


def test_a_number_is_a_category() -> None:
    estimator = HistGradientBoostingRegressor(
        max_iter=10, min_samples_leaf=3, categorical_features=["count", "colour", "size"]
    )
    assert proved(estimator, table_of("regression")).max_difference < 3e-6


def test_a_fit_that_goes_on_from_an_earlier_one_is_exact() -> None:
    table = only(table_of("multiclass"), NUMBERS)
    estimator = HistGradientBoostingClassifier(max_iter=3, warm_start=True)
    estimator.fit(table.features, table.target, sample_weight=np.arange(1.0, 241.0))
    estimator.set_params(max_iter=6)
    assert proved(estimator, table).max_difference < 3e-6


def test_a_category_that_no_row_has_and_a_column_without_numbers_are_exact() -> None:
    table = table_of("strings")
    empty = table.features.assign(height=np.float32(np.nan))
    estimator = with_gaps(HistGradientBoostingClassifier(max_iter=5))
    changed = type(table)(table.schema, empty, table.target)
    assert proved(estimator, changed).max_difference < 3e-6


def test_imputed_before_everything_else() -> None:
    assert proved(imputed(RandomForestClassifier(3)), table_of("integers")).labels_differ == 0
