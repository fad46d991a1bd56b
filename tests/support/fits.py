"""Real fits on the default table, each made once: what takes time in a training run."""

import functools
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from tests.support.versions import fitted_pipeline, training_table
from worker.training import estimator, evaluation
from worker.training.evaluation import Evaluation

_really_fit = estimator.fit
"""Whatever a test puts in its place."""

_fits: dict[bytes, Pipeline] = {}


def cached_fit(features: pd.DataFrame, labels: NDArray[np.int64]) -> Pipeline:
    """`estimator.fit`, for rows of the default training table."""
    rows = features.index.to_numpy()
    if len(rows) == len(training_table().labels):
        return fitted_pipeline()
    key = rows.tobytes()
    if key not in _fits:
        _fits[key] = _really_fit(features, labels)
    return _fits[key]


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
