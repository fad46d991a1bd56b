"""The evaluation of a candidate by cross-validation."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.inspection import permutation_importance
from sklearn.model_selection import KFold, StratifiedKFold

from shared.errors import DefinitionBroken, RunStopped
from shared.schema.schema import Kind, Schema
from shared.versions.manifest import Metrics, Score
from worker.training.scoring import Classified, Codes, Estimated, Metric, metrics_of, to_codes

FOLDS = 10
_SEED = 0
"""Fixed, so that two versions trained on the same table are scored on the same folds."""

_MAX_IMPORTANCE_ROWS = 2_000
"""Rows of each fold that importance is measured on. Each feature is shuffled and predicted again,
which takes time in proportion to the rows."""
_MAX_SHUFFLES = 1_000
"""Features that are shuffled, over all folds; two folds are measured whatever their number. On two
slow cores, 499 features took 34 s a fold, and the fit half a second."""

Fit = Callable[[pd.DataFrame, NDArray[Any]], Any]


@dataclass(frozen=True)
class Evaluation:
    """What cross-validation found about each row, by the fit that had not seen the row."""

    schema: Schema
    metrics: Metrics
    metric: Metric
    """The one that the gate compares; also what importance is measured by."""
    actual: NDArray[Any]
    """Of shape (rows,). Of two labels, 1 for the positive one; of more, the label's place among the
    classes; of a regression, the number."""
    predicted: NDArray[Any]
    """What was answered, as `actual` has it."""
    probabilities: NDArray[np.float64]
    """Of shape (rows, labels), the positive label last of two; of no columns for a regression."""
    folds: NDArray[np.int8]
    """The fold that each row was kept from, of shape (rows,)."""
    importances: pd.DataFrame
    """How much worse the metric becomes when the values of a feature are shuffled: a row per
    feature, a column per fold; of more than 100 features, for some of the folds."""

    @property
    def labels(self) -> tuple[Any, ...]:
        """Return the label that each number of `actual` stands for."""
        return to_codes(self.schema)


def cross_validate(
    features: pd.DataFrame,
    target: NDArray[Any],
    schema: Schema,
    fit: Fit,
    on_fold: Callable[[float], None],
    metric: str | None = None,
) -> Evaluation:
    """Score a model on rows that it has not seen, by 10-fold cross-validation.

    `metric` is scikit-learn's name of the metric that the gate compares. Before each fold,
    `on_fold` is called with the share that is done. An error that it raises ends the evaluation.

    Raises DefinitionBroken if the model does not fit or answer, or the metric does not suit it.
    """
    gated, every = metrics_of(schema, metric)
    actual = coded(target, schema)
    is_regression = schema.kind is Kind.REGRESSION
    splitter: Any = KFold if is_regression else StratifiedKFold
    scores: dict[str, list[float]] = {each.name: [] for each in every}
    predicted = np.empty_like(actual)
    unseen = np.empty((len(actual), len(schema.classes)), np.float64)
    fold_of = np.empty(len(actual), np.int8)
    importances = {}
    measured = max(2, _MAX_SHUFFLES // len(features.columns))
    folds = splitter(FOLDS, shuffle=True, random_state=_SEED)
    for fold, (train, test) in enumerate(folds.split(features, actual)):
        on_fold(fold / FOLDS)
        rows = features.iloc[test]
        with _told_of(f"fold {fold + 1} of {FOLDS} of the cross-validation"):
            fitted = fit(features.iloc[train], target[train])
            answering = fitted if is_regression else Codes(fitted, schema)
            found = np.asarray(answering.predict(rows)).ravel()
            if len(found) != len(test) or not np.isfinite(found).all():
                raise ValueError("predict gave other than a finite number for each row")
            predicted[test], fold_of[test] = found, fold
            if is_regression:
                answered: Any = Estimated(predicted[test])
            else:
                unseen[test] = answering.predict_proba(rows)
                answered = Classified(predicted[test], unseen[test])
        for each in every:
            scores[each.name].append(_score_of(each, answered, rows, actual[test]))
        if fold < measured:
            importances[fold] = _importance(answering, rows, actual[test], gated)
    return Evaluation(
        schema=schema,
        metrics={name: _score(values) for name, values in scores.items()},
        metric=gated,
        actual=actual,
        predicted=predicted,
        probabilities=unseen,
        folds=fold_of,
        importances=pd.DataFrame(importances, index=features.columns),
    )


def coded(target: NDArray[Any], schema: Schema) -> NDArray[Any]:
    """Return a target as `Evaluation.actual` has it."""
    if schema.kind is Kind.REGRESSION:
        return target
    place = {label: code for code, label in enumerate(to_codes(schema))}
    return np.fromiter((place[label] for label in target.tolist()), np.int64, len(target))


@contextmanager
def _told_of(where: str) -> Iterator[None]:
    """Say in which fold the model failed."""
    try:
        yield
    except RunStopped:
        raise
    except DefinitionBroken as error:
        raise DefinitionBroken(f"{error} (in {where}, on nine tenths of the rows)") from error
    except Exception as error:
        said = " ".join(str(error).split())[:300]
        raise DefinitionBroken(
            f"model.py: expected a model that answers rows that it has not seen; in {where} it "
            f"raised {type(error).__name__}: {said}; impute what may be missing, and let encoders "
            "ignore what they do not know"
        ) from error


def _score_of(metric: Metric, answered: Any, rows: Any, actual: NDArray[Any]) -> float:
    with warnings.catch_warnings():
        # Of labels that were never predicted, say.
        warnings.simplefilter("ignore")
        try:
            score = metric.of(answered, rows, actual)
        except (ValueError, TypeError) as error:
            said = " ".join(str(error).split())[:300]
            raise DefinitionBroken(
                f"the metric {metric.scorer} cannot be computed of this table: {said}; choose "
                "another as METRIC"
            ) from error
    if not np.isfinite(score):
        raise DefinitionBroken(
            f"the metric {metric.scorer} is not defined on a tenth of this table; choose another "
            "as METRIC, or train on more rows"
        )
    return score


def _importance(
    answering: Any, features: pd.DataFrame, actual: NDArray[Any], metric: Metric
) -> NDArray[np.float64]:
    """Measure the importance of each feature, on rows that the fit has not seen."""
    rows = _rows_of_importance(actual, answering is not None and hasattr(answering, "classes_"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shuffled = permutation_importance(
            answering,
            features.iloc[rows],
            actual[rows],
            scoring=metric.scorer,
            # Once in each of ten folds says more than ten times in one.
            n_repeats=1,
            random_state=_SEED,
        )
    falls: NDArray[np.float64] = shuffled.importances[:, 0]
    return falls


def _rows_of_importance(actual: NDArray[Any], is_labels: bool) -> NDArray[np.intp]:
    # Evenly spaced rows in the order of their labels, the first and the last included: each of two
    # labels is present, however rare one of them is. So is each of more, which are added.
    chosen = np.linspace(0, len(actual) - 1, min(len(actual), _MAX_IMPORTANCE_ROWS)).astype(int)
    rows: NDArray[np.intp] = np.argsort(actual, kind="stable")[chosen]
    if not is_labels:
        return rows
    labels, first = np.unique(actual, return_index=True)
    lacking = first[~np.isin(labels, actual[rows])]
    return np.concatenate([rows, lacking])


def _score(values: Sequence[float]) -> Score:
    return Score(mean=float(np.mean(values)), std=float(np.std(values, ddof=1)), folds=len(values))
