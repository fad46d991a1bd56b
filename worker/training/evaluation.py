"""How good a candidate is, by cross-validation."""

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
"""Of each fold: every feature is shuffled and predicted anew, which takes as long as its rows."""


@dataclass(frozen=True)
class Evaluation:
    """What cross-validation found: of each row by the fit that had not seen it."""

    metrics: Metrics
    labels: NDArray[np.int64]
    """0 or 1, of shape (rows,)."""
    probabilities: NDArray[np.float64]
    """Of label 1, of shape (rows,)."""
    folds: NDArray[np.int8]
    """Which fold a row was kept from, of shape (rows,)."""
    importances: pd.DataFrame
    """A row per feature, a column per fold: how much the ROC AUC falls when the feature's values
    are shuffled."""


def cross_validate(
    features: pd.DataFrame, labels: NDArray[np.int64], on_fold: Callable[[float], None]
) -> Evaluation:
    """Scores of the estimator on rows it has not seen, by stratified 10-fold.

    `on_fold` is called with the share that is done before each fold; what it raises ends the
    evaluation.
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
    """Of each feature, on rows that `fitted` has not seen."""
    # Every so manieth of the rows in the order of their labels, the first and the last among them:
    # both labels are there, however rare one is.
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
