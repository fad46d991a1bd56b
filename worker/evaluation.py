"""How good a candidate is, by cross-validation, and whether it may be served: the gate."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold

from shared.manifest import Gate, Manifest, Metrics, Score, TrainingData
from worker.estimator import fit

FOLDS = 10
_SEED = 0
"""Fixed, so that two versions trained on the same table are scored on the same folds."""


def cross_validate(
    features: pd.DataFrame, labels: NDArray[np.int64], on_fold: Callable[[float], None]
) -> Metrics:
    """Scores of the estimator on rows it has not seen, by stratified 10-fold.

    `on_fold` is called with the share that is done before each fold; what it raises ends the
    evaluation.
    """
    scores: dict[str, list[float]] = {name: [] for name in Metrics.model_fields}
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
    return Metrics(**{name: _score(values) for name, values in scores.items()})


def _score(values: list[float]) -> Score:
    return Score(mean=float(np.mean(values)), std=float(np.std(values, ddof=1)), folds=len(values))


def promotion_gate(
    candidate: Metrics,
    data: TrainingData,
    served: Manifest | None,
    *,
    tolerance: float,
    forced: bool,
) -> Gate:
    """Promotes unless the candidate's ROC AUC is clearly lower than the served model's.

    Clearly: by more than `tolerance`, and by more than one standard error (the candidate's standard
    deviation over the folds / sqrt(folds)), which on small tables is the larger.
    """
    if served is None:
        return Gate(
            outcome="promoted",
            reason="there is no served model to compare with",
            compared_with=None,
        )
    score = candidate.roc_auc
    before = served.metrics.roc_auc.mean
    standard_error = score.std / math.sqrt(score.folds)
    allowed = max(tolerance, standard_error)
    comparison = (
        f"ROC AUC {score.mean:.4f} against {before:.4f} of the served {served.model_version}; "
        f"up to {allowed:.4f} lower is allowed"
    )
    if served.data.sha256 != data.sha256:
        comparison += "; the two were trained on different data"
    good_enough = score.mean >= before - allowed
    if forced and not good_enough:
        comparison += "; promoted because force was asked for"
    return Gate(
        outcome="promoted" if good_enough or forced else "rejected",
        reason=comparison,
        compared_with=served.model_version,
    )
