"""Real fits, importances and plots of the default table, each made once per process.

They are what takes time in a training run. The functions here take the arguments and give the
results of the real ones; what was computed before is not computed again.
"""

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.inspection import permutation_importance
from sklearn.pipeline import Pipeline

from tests.support.versions import fitted_pipeline, training_table
from worker.training import estimator, evaluation, plots
from worker.training.evaluation import Evaluation

_really_fit, _really_draw = estimator.fit, plots._svg
"""The real functions, also when a test has put others in their place."""

_fits: dict[bytes, Pipeline] = {}
_importances: dict[tuple[int, bytes], Any] = {}
_pictures: dict[tuple[Callable[..., None], str], bytes] = {}


def cached_fit(features: pd.DataFrame, labels: NDArray[np.int64]) -> Pipeline:
    """`estimator.fit`, for rows of the default training table."""
    rows = features.index.to_numpy()
    if len(rows) == len(training_table().labels):
        return fitted_pipeline()
    key = rows.tobytes()
    if key not in _fits:
        _fits[key] = _really_fit(features, labels)
    return _fits[key]


def cached_importance(
    fitted: Pipeline, features: pd.DataFrame, labels: NDArray[np.int64], **how: Any
) -> Any:
    """scikit-learn's `permutation_importance`, for pipelines and rows of `cached_fit`."""
    # A pipeline that is kept in `_fits` is never freed, so its id is not used again.
    key = id(fitted), features.index.to_numpy().tobytes()
    if key not in _importances:
        _importances[key] = permutation_importance(fitted, features, labels, **how)
    return _importances[key]


def cached_picture(put: Callable[..., None], evaluation: Evaluation) -> bytes:
    """The SVG of one plot; the key is all that it is drawn from."""
    parts = evaluation.labels, evaluation.probabilities, evaluation.folds
    content = [*(part.tobytes() for part in parts), evaluation.importances.to_json().encode()]
    key = put, hashlib.sha256(b"".join(content)).hexdigest()
    if key not in _pictures:
        _pictures[key] = _really_draw(put, evaluation)
    return _pictures[key]


@dataclass(frozen=True)
class CrossValidation:
    """The default estimator on passengers it has not seen, on the folds that a run takes."""

    evaluation: Evaluation
    folds: list[tuple[Pipeline, NDArray[np.int64]]]
    """Each fold's pipeline and the rows that were kept from it."""

    def accuracy(self, features: pd.DataFrame) -> float:
        """The mean over the folds, with the passengers described as in `features`."""
        labels = training_table().labels
        return float(
            np.mean(
                [
                    np.mean(pipeline.predict(features.iloc[unseen]) == labels[unseen])
                    for pipeline, unseen in self.folds
                ]
            )
        )


@functools.cache
def cross_validation() -> CrossValidation:
    table = training_table()
    folds: list[tuple[Pipeline, NDArray[np.int64]]] = []

    def fit(features: pd.DataFrame, labels: NDArray[np.int64]) -> Pipeline:
        fitted = cached_fit(features, labels)
        unseen = np.setdiff1d(np.arange(len(table.labels)), features.index.to_numpy())
        folds.append((fitted, unseen))
        return fitted

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "fit", fit)
        found = evaluation.cross_validate(table.features, table.labels, lambda _: None)
    return CrossValidation(found, folds)
