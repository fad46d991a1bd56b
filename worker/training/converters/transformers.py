"""Transformers, and what they are made of: pipelines, column transformers, unions."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import SelectorMixin
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer

from worker.training.converters import leaves
from worker.training.converters.columns import encoders, functions, scalers
from worker.training.converters.graph import DOUBLE, FLOAT, STRING
from worker.training.converters.steps import Step
from worker.training.converters.tables import Table, Tensor, sampled


def transform(model: Any, table: Table, step: Step) -> Table:
    """Return the table that a fitted transformer makes of another.

    Raises EstimatorBroken if a step has no exact conversion.
    """
    if model is None or isinstance(model, str):
        return table
    if isinstance(model, Pipeline):
        return through(model.steps, table, step)
    if hasattr(model, "best_estimator_"):
        return transform(model.best_estimator_, table, step)
    sample = sampled(model.transform, table.sample)
    if isinstance(model, ColumnTransformer):
        return _by_columns(model, table, sample, step)
    if isinstance(model, FeatureUnion):
        return _united(model, table, sample, step)
    if type(model) is FunctionTransformer:
        return functions.transformed(model, table, sample, step)
    if isinstance(model, SelectorMixin):
        chosen = table.select(model.get_support(indices=True).tolist())
        return chosen.then(sample, *chosen.tensors)
    if scalers.is_scaler(model):
        if table.has_strings:
            step.refuse(model, "expected numbers, got categories", "OneHotEncoder for those")
        return scalers.scaled(model, table, sample)
    if encoders.is_encoder(model) and not encoders.is_plain(model, table):
        return encoders.encoded(model, table, sample)
    if isinstance(model, SimpleImputer) and model.add_indicator:
        return _with_indicators(model, table, sample, step)
    return leaves.transform(model, table, sample, step)


def through(steps: Sequence[tuple[str, Any]], table: Table, step: Step) -> Table:
    """Return the table that transformers make one after the other."""
    for name, model in steps:
        table = transform(model, table, step.inside(name))
    return table


def _by_columns(model: ColumnTransformer, table: Table, sample: Any, step: Step) -> Table:
    tensors: list[Tensor] = []
    for name, part, _ in model.transformers_:
        columns = list(model._transformer_to_input_indices[name])
        if (isinstance(part, str) and part == "drop") or not columns:
            continue
        made = transform(part, table.select(columns), step.inside(name))
        tensors += _weighted(made, (model.transformer_weights or {}).get(name))
    return table.then(sample, *tensors)


def _united(model: FeatureUnion, table: Table, sample: Any, step: Step) -> Table:
    tensors: list[Tensor] = []
    for name, part in model.transformer_list:
        if isinstance(part, str) and part == "drop":
            continue
        made = transform(part, table, step.inside(name))
        tensors += _weighted(made, (model.transformer_weights or {}).get(name))
    return table.then(sample, *tensors)


def _with_indicators(model: SimpleImputer, table: Table, sample: Any, step: Step) -> Table:
    """Return the imputed columns, and for each that had a gap whether it has one here."""
    if table.has_strings or model.missing_values is not np.nan:
        step.refuse(model, "add_indicator is read for numbers that are NaN alone", "OneHotEncoder")
    alone = copy.copy(model)
    alone.add_indicator = False
    imputed = leaves.transform(alone, table, sampled(alone.transform, table.sample), step)
    columns = model.indicator_.features_.tolist()
    if not columns:
        return imputed
    graph = table.graph
    gaps = graph.put("IsNaN", table.select(columns).joined(FLOAT))
    indicators = Tensor(graph.put("Cast", gaps, to=FLOAT), FLOAT, len(columns))
    return table.then(sample, *imputed.tensors, indicators)


def _weighted(table: Table, weight: float | None) -> tuple[Tensor, ...]:
    if weight is None:
        return table.tensors
    graph, weighted = table.graph, list[Tensor]()
    for tensor in table.tensors:
        assert tensor.element != STRING
        dtype = np.float64 if tensor.element == DOUBLE else np.float32
        name = graph.put("Mul", tensor.name, graph.constant(np.array(weight, dtype)))
        weighted.append(Tensor(name, tensor.element, tensor.width))
    return tuple(weighted)
