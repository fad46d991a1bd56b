"""What has no exact conversion ends in a sentence that says what to take instead."""

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import KNNImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from shared.errors import EstimatorBroken, ParityBroken
from shared.schema.features import Feature
from tests.support.any_table import NUMBERS, AnyTable, only, proved, schema_of, table_of
from tests.support.estimators import CLASSIFIERS, PREPROCESSING, REGRESSORS, imputed
from worker.training.export import to_onnx

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("RidgeClassifier", "take LogisticRegression"),
        ("LinearSVC", r"take CalibratedClassifierCV\(LinearSVC"),
        ("SVC", r"take SVC\(probability=True\)"),
        ("Voting(hard)", "voting='soft'"),
        ("Calibrated(isotonic)", "'calibratedclassifiercv'.*method='sigmoid'"),
        ("DummyClassifier", "'dummyclassifier'.*take LogisticRegression"),
        ("GaussianProcessClassifier", "GaussianProcessClassifier.*take LogisticRegression"),
    ],
)
def test_a_classifier_is_refused(name: str, instead: str) -> None:
    with pytest.raises(EstimatorBroken, match=instead):
        proved(CLASSIFIERS[name](), table_of("multiclass", 120))


@pytest.mark.parametrize(
    ("make", "instead"),
    [
        (REGRESSORS["DummyRegressor"], "'dummyregressor'.*take Ridge"),
        (REGRESSORS["TransformedTarget(PowerTransformer)"], "transformer.*take StandardScaler"),
        (PREPROCESSING["SplineTransformer, Ridge"], "splinetransformer.*KBinsDiscretizer"),
        (PREPROCESSING["FunctionTransformer(lambda), Ridge"], "<lambda>.*log1p.*load"),
        (PREPROCESSING["IterativeImputer, Ridge"], "iterativeimputer.*SimpleImputer"),
    ],
)
def test_a_step_is_refused_by_its_name(make: Any, instead: str) -> None:
    with pytest.raises(EstimatorBroken, match=instead):
        proved(make(), table_of("regression"))


@pytest.mark.parametrize(
    ("estimator", "kind", "known"),
    [
        (CLASSIFIERS["KNeighborsClassifier(distance)"], "binary", "KNeighborsClassifier"),
        (REGRESSORS["SVR(C=1000)"], "regression", "SVR often differs: take a smaller C"),
        (lambda: imputed(Ridge(), KNNImputer()), "regression", "take SimpleImputer"),
    ],
)
def test_numbers_that_differ_are_never_published(estimator: Any, kind: str, known: str) -> None:
    with pytest.raises(ParityBroken, match=known):
        proved(estimator(), table_of(kind))


def test_a_regressor_cannot_answer_labels_nor_a_classifier_numbers() -> None:
    table = only(table_of("binary", gaps=False), NUMBERS)
    with pytest.raises(EstimatorBroken, match="is to be a classifier; .* gave Ridge"):
        to_onnx(Ridge().fit(table.features, table.target), table.schema)
    with pytest.raises(EstimatorBroken, match="is to be a regressor; .* gave RandomForest"):
        fitted = RandomForestClassifier(2).fit(table.features, table.target)
        to_onnx(fitted, schema_of("regression"))


def test_a_model_that_has_not_seen_every_class_is_refused() -> None:
    table = only(table_of("multiclass", gaps=False), NUMBERS)
    kept = table.target != "birch"
    fitted = LogisticRegression().fit(table.features[kept], table.target[kept])
    with pytest.raises(EstimatorBroken, match="'birch'.*it knows"):
        to_onnx(fitted, table.schema)


def test_a_field_with_the_name_of_an_answer_is_refused() -> None:
    features = (Feature(name="label", kind="number", required=True),)
    table = only(table_of("binary"), ["weight"])
    fitted = LogisticRegression().fit(table.features, table.target)
    with pytest.raises(EstimatorBroken, match="field 'label'.*another name"):
        to_onnx(fitted, schema_of("binary", features))


def test_categories_that_reach_the_estimator_are_refused() -> None:
    fitted = Ridge().fit(np.zeros((3, 6)), np.arange(3.0))
    with pytest.raises(EstimatorBroken, match="categories among them; take a ColumnTransformer"):
        to_onnx(fitted, schema_of("regression"))


def test_a_function_with_arguments_is_refused() -> None:
    table = only(table_of("regression", gaps=False), NUMBERS)
    step = FunctionTransformer(np.square, kw_args={"dtype": np.float64})
    with pytest.raises(EstimatorBroken, match="square"):
        proved(make_pipeline(step, Ridge()), table)


def test_a_category_that_the_encoder_refuses_ends_in_the_proof() -> None:
    table = table_of("regression")
    with pytest.raises(ParityBroken, match="handle_unknown='ignore'"):
        proved(
            PREPROCESSING["OneHotEncoder, Ridge"]().set_params(
                columntransformer__onehotencoder__handle_unknown="error"
            ),
            AnyTable(table.schema, table.features, table.target),
        )
