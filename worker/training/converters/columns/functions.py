"""numpy's elementary functions, as chains of ONNX operators."""

from collections.abc import Callable
from typing import Any

import numpy as np

from worker.training.converters.graph import DOUBLE, FLOAT, Graph
from worker.training.converters.steps import Step
from worker.training.converters.tables import Table, Tensor

_FUNCTIONS = (
    "one of numpy's log1p, expm1, log, log2, log10, exp, sqrt, abs, sin, cos, square, negative or "
    "reciprocal without arguments; or compute in the definition's load(source), and declare the "
    "result as a field"
)

Chain = Callable[[Graph, str], str]
"""Appends the operators of a function to a tensor of float64; returns the result's name."""


def _one(operator: str) -> Chain:
    return lambda graph, x: graph.put(operator, x)


def _number(graph: Graph, value: float) -> str:
    return graph.constant(np.array(value, np.float64))


def _log1p(graph: Graph, x: str) -> str:
    return graph.put("Log", graph.put("Add", x, _number(graph, 1.0)))


def _expm1(graph: Graph, x: str) -> str:
    return graph.put("Sub", graph.put("Exp", x), _number(graph, 1.0))


def _log_to(base: float) -> Chain:
    return lambda graph, x: graph.put(
        "Mul", graph.put("Log", x), _number(graph, float(1 / np.log(base)))
    )


def _square(graph: Graph, x: str) -> str:
    return graph.put("Mul", x, x)


CHAINS: dict[str, Chain] = {
    "absolute": _one("Abs"),
    "cos": _one("Cos"),
    "exp": _one("Exp"),
    "expm1": _expm1,
    "log": _one("Log"),
    "log10": _log_to(10.0),
    "log1p": _log1p,
    "log2": _log_to(2.0),
    "negative": _one("Neg"),
    "reciprocal": _one("Reciprocal"),
    "sin": _one("Sin"),
    "sqrt": _one("Sqrt"),
    "square": _square,
}
"""Name of a function of numpy -> its operators."""


def chain_of(function: Any) -> Chain | None:
    """Return the operators of a function of numpy; None if it is another."""
    name = getattr(function, "__name__", "")
    return CHAINS.get(name) if getattr(np, name, None) is function else None


def transformed(model: Any, table: Table, sample: Any, step: Step) -> Table:
    """Return the table with a FunctionTransformer's function applied to every column."""
    if model.func is None:
        return table.then(sample, *table.tensors)
    result = applied(model.func, model.kw_args, model, table, step)
    return table.then(sample, result)


def applied(function: Any, arguments: Any, model: Any, table: Table, step: Step) -> Tensor:
    """Return the columns with the function applied; computed in float64, rounded as numpy does."""
    chain = chain_of(function)
    if chain is None or arguments:
        name = getattr(function, "__name__", repr(function))
        step.refuse(model, f"the function {name} cannot be read", _FUNCTIONS)
    if table.has_strings:
        step.refuse(model, "expected numbers, got categories", "an encoder before it")
    answer = chain(table.graph, table.joined(DOUBLE))
    if table.is_double:
        return Tensor(answer, DOUBLE, table.width)
    return Tensor(table.graph.put("Cast", answer, to=FLOAT), FLOAT, table.width)
