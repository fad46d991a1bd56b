"""The evaluation of a candidate by cross-validation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.inspection import permutation_importance
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold

from shared.versions.manifest import Metrics, Score
from worker.training.estimator import fit

FOLDS = 10
_SEED = 0
"""Fixed, so that two versions trained on the same table are scored on the same folds."""

_MAX_IMPORTANCE_ROWS = 2_000
"""Rows of each fold that importance is measured on. Each feature is shuffled and predicted again,
which takes time in proportion to the rows."""


@dataclass(frozen=True)
class Evaluation:
    """What cross-validation found about each row, by the fit that had not seen the row."""

    metrics: Metrics
    labels: NDArray[np.int64]
    """0 or 1, of shape (rows,)."""
    probabilities: NDArray[np.float64]
    """The probability of label 1, of shape (rows,)."""
    folds: NDArray[np.int8]
    """The fold that each row was kept from, of shape (rows,)."""
    importances: pd.DataFrame
    """How much the ROC AUC falls when the values of a feature are shuffled: a row per feature, a
    column per fold."""


def cross_validate(
    features: pd.DataFrame, labels: NDArray[np.int64], on_fold: Callable[[float], None]
) -> Evaluation:
    """Score the estimator on rows that it has not seen, by stratified 10-fold cross-validation.

    Before each fold, `on_fold` is called with the share that is done. An error that it raises ends
    the evaluation.
    """
    scores: dict[str, list[float]] = {name: [] for name in Metrics.model_fields}
    unseen = np.empty(len(labels), np.float64)
    fold_of = np.empty(len(labels), np.int8)
    importances = {}
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=_SEED)
    for fold, (train, test) in enumerate(folds.split(features, labels)):
        on_fold(fold / FOLDS)
        fitted = fit(features.iloc[train], labels[train])
        probabilities = fitted.predict_proba(features.iloc[test])[:, 1]
        actual = labels[test]
        scores["roc_auc"].append(float(roc_auc_score(actual, probabilities)))
        scores["accuracy"].append(float(accuracy_score(actual, probabilities > 0.5)))
        scores["log_loss"].append(float(log_loss(actual, probabilities, labels=[0, 1])))
        scores["brier_score"].append(float(brier_score_loss(actual, probabilities)))
        unseen[test], fold_of[test] = probabilities, fold
        importances[fold] = _importance(fitted, features.iloc[test], actual)
    return Evaluation(
        metrics=Metrics(**{name: _score(values) for name, values in scores.items()}),
        labels=labels,
        probabilities=unseen,
        folds=fold_of,
        importances=pd.DataFrame(importances, index=features.columns),
    )


def _importance(
    fitted: Any, features: pd.DataFrame, labels: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Measure the importance of each feature, on rows that `fitted` has not seen."""
    # Evenly spaced rows in the order of their labels, the first and the last included: both labels
    # are present, however rare one of them is.
    chosen = np.linspace(0, len(labels) - 1, min(len(labels), _MAX_IMPORTANCE_ROWS)).astype(int)
    rows = np.argsort(labels, kind="stable")[chosen]
    shuffled = permutation_importance(
        fitted,
        features.iloc[rows],
        labels[rows],
        scoring=_roc_auc,
        # Once in each of ten folds says more than ten times in one.
        n_repeats=1,
        random_state=_SEED,
    )
    falls: NDArray[np.float64] = shuffled.importances[:, 0]
    return falls


def _roc_auc(fitted: Any, features: pd.DataFrame, labels: NDArray[np.int64]) -> float:
    return float(roc_auc_score(labels, fitted.predict_proba(features)[:, 1]))


def _score(values: list[float]) -> Score:
    return Score(mean=float(np.mean(values)), std=float(np.std(values, ddof=1)), folds=len(values))
