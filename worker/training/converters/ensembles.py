"""Models made of several: the mean of their answers, or a model on top of these.

Each function is given how the parts are converted, because a part may be such a model again.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.training.converters.graph import FLOAT, Graph
from worker.training.converters.steps import Step
from worker.training.converters.tables import Table, Tensor, sampled
from worker.training.converters.trees.forests import with_the_other

Convert = Callable[[Any, Table, Step], str]
"""Puts a model inside the graph and returns the name of its answers."""


def voting(model: Any, table: Table, step: Step, answer: Convert) -> str:
    """Return the weighted mean of what the parts answer."""
    answers = [answer(part, table, step.inside(name)) for name, part in _named(model)]
    return _mean(table.graph, answers, model._weights_not_none)


def bagging(model: Any, table: Table, step: Step, answer: Convert) -> str:
    """Return the mean of what the parts answer, each from its own columns."""
    table = table.without_names()
    answers: list[str] = []
    for place, (part, columns) in enumerate(
        zip(model.estimators_, model.estimators_features_, strict=True)
    ):
        inside = step.inside(place)
        made = answer(part, table.select(list(columns)), inside)
        if hasattr(model, "classes_"):
            made = _spread(table.graph, made, list(part.classes_), len(model.classes_))
        answers.append(made)
    return _mean(table.graph, answers)


def one_against_the_rest(model: Any, table: Table, step: Step, probabilities: Convert) -> str:
    """Return the probabilities of one classifier per class, made to add up to one."""
    if model.multilabel_:
        step.refuse(model, "expected one label per row", "one label per row")
    graph = table.graph
    seconds = [
        _column(graph, probabilities(part, table, step.inside(place)), 1)
        for place, part in enumerate(model.estimators_)
    ]
    if len(seconds) == 1:
        return with_the_other(table, seconds[0])
    return normalized(graph, graph.put("Concat", *seconds, axis=1), otherwise=0.0)


def stacked(model: Any, table: Table, step: Step, methods: dict[str, Convert]) -> Table:
    """Return what the final estimator is given: the answers of the parts, and maybe the rows."""
    tensors: list[Tensor] = []
    is_binary = len(getattr(model, "classes_", ())) == 2
    for (name, part), method in zip(_named(model), model.stack_method_, strict=True):
        inside = step.inside(name)
        if method not in methods or (method == "predict" and hasattr(model, "classes_")):
            inside.refuse(part, f"StackingClassifier asks for its {method}")
        answers = methods[method](part, table, inside)
        width = len(model.classes_) if hasattr(model, "classes_") else 1
        if is_binary:
            width = 1
            if method == "predict_proba":
                answers = _column(table.graph, answers, 1)
        tensors.append(Tensor(answers, FLOAT, width))
    if model.passthrough:
        tensors += table.tensors
    return table.then(sampled(model.transform, table.sample), *tensors)


def normalized(graph: Graph, rows: str, otherwise: float) -> str:
    """Return the rows divided by their sums; a row whose sum is zero becomes `otherwise`."""
    sums = graph.put("ReduceSum", rows, graph.constant(np.array([1], np.int64)), keepdims=1)
    is_zero = graph.put("Equal", sums, graph.floats(0.0))
    return graph.put("Where", is_zero, graph.floats(otherwise), graph.put("Div", rows, sums))


def mean(graph: Graph, answers: Sequence[str]) -> str:
    """Return the mean of answers of one shape."""
    return _mean(graph, answers)


def _mean(graph: Graph, answers: Sequence[str], weights: Sequence[float] | None = None) -> str:
    shares = np.ones(len(answers)) if weights is None else np.asarray(weights, np.float64)
    shares = shares / shares.sum()
    weighted = [
        graph.put("Mul", name, graph.floats(share))
        for name, share in zip(answers, shares, strict=True)
    ]
    return weighted[0] if len(weighted) == 1 else graph.put("Sum", *weighted)


def _named(model: Any) -> list[tuple[str, Any]]:
    names = [name for name, part in model.estimators if not isinstance(part, str)]
    return list(zip(names, model.estimators_, strict=True))


def _column(graph: Graph, rows: str, place: int) -> str:
    return graph.put("Gather", rows, graph.constant(np.array([place], np.int64)), axis=1)


def _spread(graph: Graph, rows: str, places: list[int], width: int) -> str:
    """Return the columns at their places among all classes; a class that is absent has zero."""
    if [int(place) for place in places] == list(range(width)):
        return rows
    matrix: NDArray[np.float32] = np.zeros((len(places), width), np.float32)
    for row, place in enumerate(places):
        matrix[row, int(place)] = 1.0
    return graph.put("MatMul", rows, graph.constant(matrix))
