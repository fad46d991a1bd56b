"""Scalers, with the rounding of scikit-learn: a scaled number may stand on a tree's threshold."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from worker.training.converters.graph import DOUBLE, FLOAT
from worker.training.converters.tables import Table, Tensor

Operations = list[tuple[str, NDArray[Any]]]
"""Operators, each with the vector that is its second input."""


def is_scaler(model: Any) -> bool:
    """Return whether the model is one that this module converts."""
    return type(model) in (StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler)


def scaled(model: Any, table: Table, sample: Any) -> Table:
    """Return the table with its columns scaled."""
    is_sparse = hasattr(table.sample, "tocsr")
    operations = _sparse(model) if is_sparse else _forward(model, table.is_double)
    element = DOUBLE if table.is_double else FLOAT
    x = _computed(table, table.joined(element), element, operations)
    if getattr(model, "clip", False):
        low, high = getattr(model, "feature_range", (-1, 1))
        dtype = np.float64 if table.is_double else np.float32
        bounds = [table.graph.constant(np.array(bound, dtype)) for bound in (low, high)]
        x = table.graph.put("Clip", x, *bounds)
    return table.then(sample, Tensor(x, element, table.width))


def unscaled(model: Any, table: Table) -> Tensor:
    """Return the columns as they were before they were scaled."""
    x = _computed(table, table.joined(DOUBLE), DOUBLE, _backward(model))
    return Tensor(x, DOUBLE, table.width)


def _forward(model: Any, is_double: bool) -> Operations:
    if isinstance(model, StandardScaler):
        dtype = np.float64 if is_double else np.float32
        steps = [("Sub", model.mean_ if model.with_mean else None)]
        steps += [("Div", model.scale_ if model.with_std else None)]
        return [(name, values.astype(dtype)) for name, values in steps if values is not None]
    if isinstance(model, MinMaxScaler):
        return [("Mul", model.scale_), ("Add", model.min_)]
    if isinstance(model, MaxAbsScaler):
        return [("Div", model.scale_)]
    steps = [("Sub", model.center_ if model.with_centering else None)]
    steps += [("Div", model.scale_ if model.with_scaling else None)]
    return [(name, values) for name, values in steps if values is not None]


def _sparse(model: Any) -> Operations:
    return [] if model.scale_ is None else [("Mul", 1.0 / model.scale_)]


def _backward(model: Any) -> Operations:
    opposite = {"Sub": "Add", "Div": "Mul", "Mul": "Div", "Add": "Sub"}
    forward = _forward(model, is_double=True)
    return [(opposite[name], values) for name, values in reversed(forward)]


def _computed(table: Table, x: str, element: int, operations: Operations) -> str:
    """Append the operations. numpy computes with the wider type and rounds what it keeps."""
    graph = table.graph
    for operator, values in operations:
        if element == FLOAT and values.dtype == np.float64:
            wide = graph.put(operator, graph.put("Cast", x, to=DOUBLE), graph.constant(values))
            x = graph.put("Cast", wide, to=FLOAT)
        else:
            dtype = np.float64 if element == DOUBLE else np.float32
            x = graph.put(operator, x, graph.constant(values.astype(dtype)))
    return x
