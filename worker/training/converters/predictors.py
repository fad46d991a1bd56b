"""Classifiers and regressors: what each answers, by its type."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)

from worker.training.converters import ensembles, leaves
from worker.training.converters.calibration import calibrated
from worker.training.converters.columns import functions, scalers
from worker.training.converters.graph import FLOAT
from worker.training.converters.steps import Step
from worker.training.converters.tables import Table, Tensor
from worker.training.converters.transformers import through
from worker.training.converters.trees import boosting, lightgbm
from worker.training.converters.trees.forests import forest, with_the_other

_Convert = Callable[[Any, Table, Step], str]


def labels_and_probabilities(model: Any, table: Table, step: Step) -> tuple[str, str]:
    """Return the places of the labels in `classes_`, and the probability of each class.

    Raises EstimatorBroken if a step has no exact conversion.
    """
    last, rows, step = _last(model, table, step)
    graph = table.graph
    if isinstance(last, StackingClassifier):
        final = ensembles.stacked(last, rows, step, _METHODS)
        return labels_and_probabilities(last.final_estimator_, final, step.inside("final"))
    codes: str | None = None
    if (convert := _CLASSIFIERS.get(_kind(last, _CLASSIFIERS))) is not None:
        answers = convert(last, rows, step)
    elif lightgbm.is_lightgbm(last):
        answers = lightgbm.probabilities(last, rows, step)
    else:
        answers, codes = leaves.probabilities(last, rows, step)
    if codes is None:
        codes = graph.put("ArgMax", answers, axis=1, keepdims=0)
    return codes, answers


def probabilities(model: Any, table: Table, step: Step) -> str:
    """Return the probability of each class."""
    if not hasattr(model, "predict_proba"):
        step.refuse(model, "it gives no probabilities")
    return labels_and_probabilities(model, table, step)[1]


def scores(model: Any, table: Table, step: Step) -> str:
    """Return what `decision_function` gives: one column if there are two classes."""
    last, rows, step = _last(model, table, step)
    if isinstance(last, StackingClassifier):
        final = ensembles.stacked(last, rows, step, _METHODS)
        return scores(last.final_estimator_, final, step.inside("final"))
    if isinstance(last, HistGradientBoostingClassifier):
        return boosting.raw_scores(last, rows)
    if isinstance(last, LinearDiscriminantAnalysis):
        return _linear(last, rows)
    if isinstance(last, BaggingClassifier):
        for place, part in enumerate(last.estimators_):
            if len(part.classes_) != len(last.classes_):
                step.inside(place).refuse(part, "its rows lack a class")
        return ensembles.bagging(last, rows, step, scores)
    return leaves.scores(last, rows, step)


def number(model: Any, table: Table, step: Step) -> str:
    """Return a regression's answers, float32 of shape (rows, 1).

    Raises EstimatorBroken if a step has no exact conversion.
    """
    last, rows, step = _last(model, table, step)
    if (convert := _REGRESSORS.get(_kind(last, _REGRESSORS))) is not None:
        return convert(last, rows, step)
    if lightgbm.is_lightgbm(last):
        return lightgbm.number(last, rows, step)
    return leaves.number(last, rows, step)


def _last(model: Any, table: Table, step: Step) -> tuple[Any, Table, Step]:
    """Return the estimator that answers, the rows that it is given, and its place."""
    while True:
        if isinstance(model, Pipeline):
            *before, (name, last) = model.steps
            table, step, model = through(before, table, step), step.inside(name), last
        elif hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        elif isinstance(model, FrozenEstimator):
            model = model.estimator
        else:
            return model, table, step


def _forest(model: Any, table: Table, step: Step) -> str:
    return forest(model, table)


def _boosted(model: Any, table: Table, step: Step) -> str:
    raw = boosting.raw_scores(model, table)
    if len(model.classes_) == 2:
        return with_the_other(table, table.graph.put("Sigmoid", raw))
    return table.graph.put("Softmax", raw, axis=1)


def _discriminant(model: Any, table: Table, step: Step) -> str:
    raw = _linear(model, table)
    if len(model.classes_) == 2:
        return with_the_other(table, table.graph.put("Sigmoid", raw))
    return table.graph.put("Softmax", raw, axis=1)


def _linear(model: Any, table: Table) -> str:
    graph = table.graph
    factors = graph.constant(np.ascontiguousarray(model.coef_.T).astype(np.float32))
    product = graph.put("MatMul", table.joined(FLOAT), factors)
    return graph.put("Add", product, graph.floats(*model.intercept_))


def _stacked_number(model: Any, table: Table, step: Step) -> str:
    final = ensembles.stacked(model, table, step, _METHODS)
    return number(model.final_estimator_, final, step.inside("final"))


def _transformed_target(model: Any, table: Table, step: Step) -> str:
    inner = Tensor(number(model.regressor_, table, step.inside("regressor")), FLOAT, 1)
    answers = Table(table.graph, (inner,))
    back, place = model.transformer_, step.inside("transformer")
    if type(back) is FunctionTransformer:
        if back.inverse_func is None:
            return inner.name
        wide = functions.applied(back.inverse_func, back.inv_kw_args, back, answers, place)
    elif scalers.is_scaler(back):
        wide = scalers.unscaled(back, answers)
    else:
        place.refuse(
            back,
            "its inverse has no conversion",
            "StandardScaler or MinMaxScaler, or func and inverse_func of numpy, such as np.log1p "
            "and np.expm1",
        )
    return wide.name if wide.element == FLOAT else table.cast(wide, FLOAT)


def _calibrated(model: Any, table: Table, step: Step) -> str:
    return calibrated(model, table, step, scores, probabilities)


def _with(combine: Callable[[Any, Table, Step, _Convert], str], answer: _Convert) -> _Convert:
    """Return how a model of several parts is converted that answer so."""
    return lambda model, table, step: combine(model, table, step, answer)


def _kind(model: Any, table: dict[type, Any]) -> type:
    """Return the class that the model is one of; `object` if none."""
    return next((kind for kind in table if isinstance(model, kind)), object)


_CLASSIFIERS: dict[type, _Convert] = {
    HistGradientBoostingClassifier: _boosted,
    LinearDiscriminantAnalysis: _discriminant,
    VotingClassifier: _with(ensembles.voting, probabilities),
    BaggingClassifier: _with(ensembles.bagging, probabilities),
    OneVsRestClassifier: _with(ensembles.one_against_the_rest, probabilities),
    CalibratedClassifierCV: _calibrated,
    **dict.fromkeys(
        (
            *(RandomForestClassifier, ExtraTreesClassifier),
            *(DecisionTreeClassifier, ExtraTreeClassifier),
        ),
        _forest,
    ),
}
_REGRESSORS: dict[type, _Convert] = {
    HistGradientBoostingRegressor: lambda model, table, step: boosting.number(model, table),
    VotingRegressor: _with(ensembles.voting, number),
    BaggingRegressor: _with(ensembles.bagging, number),
    StackingRegressor: _stacked_number,
    TransformedTargetRegressor: _transformed_target,
    **dict.fromkeys(
        (
            *(RandomForestRegressor, ExtraTreesRegressor),
            *(DecisionTreeRegressor, ExtraTreeRegressor),
        ),
        _forest,
    ),
}
_METHODS: dict[str, _Convert] = {
    "predict_proba": probabilities,
    "decision_function": scores,
    "predict": number,
}
