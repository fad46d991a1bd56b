"""Real fits, importances and plots of the default table, each made once per process.

They are what takes time in a training run. The functions here take the arguments and give the
results of the real ones; what was computed before is not computed again.
"""

import functools
import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.inspection import permutation_importance
from sklearn.pipeline import Pipeline

from tests.support.versions import definition, fitted_pipeline, training_table
from worker.definition.definition import Definition
from worker.training import evaluation
from worker.training.evaluation import Evaluation
from worker.training.plots import card

_really_draw = card.svg
"""The real function, also when a test has put another in its place."""

_fits: dict[bytes, Pipeline] = {}
_importances: dict[tuple[int, bytes], Any] = {}
_pictures: dict[tuple[card.Put, str], bytes] = {}


def cached_fit(features: pd.DataFrame, target: NDArray[Any]) -> Pipeline:
    """The default definition's `fit`, for rows of the default training table."""
    rows = features.index.to_numpy()
    if len(rows) == len(training_table().target):
        return fitted_pipeline()
    key = rows.tobytes()
    if key not in _fits:
        _fits[key] = definition().fit(features, target)
    return _fits[key]


def quick_definition() -> Definition:
    """The default definition; what it has fitted before is not fitted again."""
    return replace(definition(), fit=cached_fit)


def cached_importance(
    answering: Any, features: pd.DataFrame, actual: NDArray[Any], **how: Any
) -> Any:
    """scikit-learn's `permutation_importance`, those of `cached_fit` once."""
    fitted = getattr(answering, "fitted", None)
    if not any(fitted is kept for kept in _fits.values()):
        return permutation_importance(answering, features, actual, **how)
    # A pipeline that is kept in `_fits` is never freed, so its id is not used again.
    key = id(fitted), features.index.to_numpy().tobytes()
    if key not in _importances:
        _importances[key] = permutation_importance(answering, features, actual, **how)
    return _importances[key]


def cached_picture(put: card.Put, evaluated: Evaluation) -> bytes:
    """The SVG of one plot; the key is all that it is drawn from."""
    parts = evaluated.actual, evaluated.predicted, evaluated.probabilities, evaluated.folds
    content = [*(part.tobytes() for part in parts), evaluated.importances.to_json().encode()]
    key = put, hashlib.sha256(b"".join(content)).hexdigest()
    if key not in _pictures:
        _pictures[key] = _really_draw(put, evaluated)
    return _pictures[key]


@dataclass(frozen=True)
class CrossValidation:
    """The default estimator on passengers it has not seen, on the folds that a run takes."""

    evaluation: Evaluation
    folds: list[tuple[Pipeline, NDArray[np.int64]]]
    """Each fold's pipeline and the rows that were kept from it."""

    def accuracy(self, features: pd.DataFrame) -> float:
        """The mean over the folds, with the passengers described as in `features`."""
        target = training_table().target
        return float(
            np.mean(
                [
                    np.mean(pipeline.predict(features.iloc[unseen]) == target[unseen])
                    for pipeline, unseen in self.folds
                ]
            )
        )


@functools.cache
def cross_validation() -> CrossValidation:
    table = training_table()
    folds: list[tuple[Pipeline, NDArray[np.int64]]] = []

    def fit(features: pd.DataFrame, target: NDArray[Any]) -> Pipeline:
        fitted = cached_fit(features, target)
        unseen = np.setdiff1d(np.arange(len(table.target)), features.index.to_numpy())
        folds.append((fitted, unseen))
        return fitted

    schema = definition().schema
    found = evaluation.cross_validate(table.features, table.target, schema, fit, lambda _: None)
    return CrossValidation(found, folds)


@functools.cache
def evaluated(example: str) -> Evaluation:
    """The cross-validation of an example."""
    if example == "titanic":
        return cross_validation().evaluation
    table, defined = training_table(example), definition(example)
    return evaluation.cross_validate(
        table.features, table.target, defined.schema, defined.fit, lambda _: None, defined.metric
    )
