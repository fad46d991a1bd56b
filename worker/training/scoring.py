"""The metrics of each kind of model, by scikit-learn's scorers."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import get_scorer

from shared.errors import DefinitionBroken
from shared.schema.schema import Kind, Schema

STANDARD: Mapping[Kind, Mapping[str, str]] = {
    Kind.BINARY: {
        "roc_auc": "roc_auc",
        "accuracy": "accuracy",
        "log_loss": "neg_log_loss",
        "brier_score": "neg_brier_score",
    },
    Kind.MULTICLASS: {
        "roc_auc": "roc_auc_ovr",
        "accuracy": "accuracy",
        "balanced_accuracy": "balanced_accuracy",
        "f1_macro": "f1_macro",
        "log_loss": "neg_log_loss",
    },
    Kind.REGRESSION: {
        "r2": "r2",
        "rmse": "neg_root_mean_squared_error",
        "mae": "neg_mean_absolute_error",
    },
}
"""The metrics that each version of a kind has -> scikit-learn's names of them."""

DEFAULT: Mapping[Kind, str] = {
    Kind.BINARY: "roc_auc",
    Kind.MULTICLASS: "balanced_accuracy",
    Kind.REGRESSION: "r2",
}
"""The metric that the gate compares, unless a definition chooses another: those without a unit."""

_NEGATED = "neg_"
_TITLES = {
    "roc_auc": "ROC AUC",
    "r2": "R²",
    "rmse": "RMSE",
    "mae": "MAE",
    "f1_macro": "macro F1",
}


@dataclass(frozen=True)
class Metric:
    """A metric under the name and sign that people know."""

    name: str
    scorer: str
    """scikit-learn's name."""

    @property
    def title(self) -> str:
        """Return what people call the metric."""
        return _TITLES.get(self.name, self.name.replace("_", " "))

    @property
    def higher_is_better(self) -> bool:
        return not self.scorer.startswith(_NEGATED)

    def of(self, answering: Any, features: Any, actual: NDArray[Any]) -> float:
        """Score an estimator. Raises ValueError or TypeError if that cannot be."""
        score = float(get_scorer(self.scorer)(answering, features, actual))
        return score if self.higher_is_better else -score


class Codes(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A fitted classifier whose labels are codes, because scorers want 0 and 1 of two labels."""

    def __init__(self, fitted: Any, schema: Schema) -> None:
        self.fitted = fitted
        self.schema = schema
        self.places = {label: code for code, label in enumerate(to_codes(schema))}
        self.classes_ = np.arange(len(schema.classes))

    def fit(self, *_: Any) -> "Codes":
        return self

    def predict(self, features: Any) -> NDArray[np.int64]:
        labels = np.asarray(self.fitted.predict(features)).ravel().tolist()
        return np.fromiter((self.places[label] for label in labels), np.int64, len(labels))

    def predict_proba(self, features: Any) -> NDArray[np.float64]:
        found = np.asarray(self.fitted.predict_proba(features), np.float64)
        order = [self.schema.classes.index(label) for label in to_codes(self.schema)]
        return found[:, order]


def to_codes(schema: Schema) -> tuple[Any, ...]:
    """Return the labels in the order of their codes; of two, the positive one is 1."""
    if schema.kind is Kind.BINARY and schema.positive_index == 0:
        return schema.classes[::-1]
    return schema.classes


class Classified(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """What a classifier has answered, for scorers: each row is answered as it was."""

    def __init__(self, labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> None:
        self.labels = labels
        self.probabilities = probabilities
        self.classes_ = np.arange(probabilities.shape[1])

    def predict(self, _: Any) -> NDArray[np.int64]:
        return self.labels

    def predict_proba(self, _: Any) -> NDArray[np.float64]:
        return self.probabilities


class Estimated(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """What a regressor has answered, for scorers."""

    def __init__(self, numbers: NDArray[np.float64]) -> None:
        self.numbers = numbers

    def predict(self, _: Any) -> NDArray[np.float64]:
        return self.numbers


def metrics_of(schema: Schema, chosen: str | None) -> tuple[Metric, list[Metric]]:
    """Return the metric that the gate compares, and all that are computed.

    `chosen` is a name of scikit-learn's. Raises DefinitionBroken if it does not suit the target.
    """
    every = [Metric(name, scorer) for name, scorer in STANDARD[schema.kind].items()]
    if chosen is None:
        chosen = DEFAULT[schema.kind]
    for metric in every:
        if chosen in (metric.name, metric.scorer):
            return metric, every
    metric = Metric(chosen.removeprefix(_NEGATED), chosen)
    _check(metric, schema)
    return metric, [*every, metric]


def _check(metric: Metric, schema: Schema) -> None:
    """Try a metric on answers that are made up. Raises DefinitionBroken."""
    usual = ", ".join(STANDARD[schema.kind].values())
    found = f"METRIC: expected a metric of a {schema.kind} target, found {metric.scorer!r}"
    try:
        module = get_scorer(metric.scorer)._score_func.__module__
    except (ValueError, AttributeError) as error:
        raise DefinitionBroken(
            f"METRIC: expected the name of a scorer of scikit-learn's, found {metric.scorer!r}; "
            f"write one such as {usual}"
        ) from error
    is_regression = schema.kind is Kind.REGRESSION
    if "cluster" in module or ("regression" in module) is not is_regression:
        raise DefinitionBroken(f"{found}, which is for another kind of target; write {usual}")
    actual, answering = _made_up(schema)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            score = metric.of(answering, None, actual)
    except Exception as error:
        said = " ".join(str(error).split())[:200]
        raise DefinitionBroken(f"{found}: {said}; write another, such as {usual}") from error
    if not np.isfinite(score):
        raise DefinitionBroken(f"{found}, which is not defined there; write one of {usual}")


def _made_up(schema: Schema) -> tuple[NDArray[Any], Any]:
    if schema.kind is Kind.REGRESSION:
        numbers = np.array([1.0, 2.0, 4.0, 8.0])
        return numbers, Estimated(numbers + 0.5)
    count = len(schema.classes)
    actual = np.tile(np.arange(count), 2)
    likely = np.full((2 * count, count), 0.5 / (count - 1))
    likely[np.arange(2 * count), actual] = 0.5
    return actual, Classified(actual, likely)
