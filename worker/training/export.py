"""The conversion of a fitted model into an ONNX model."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from onnx import ValueInfoProto, helper
from sklearn.base import is_classifier, is_regressor

from shared.errors import EstimatorBroken
from shared.schema.schema import Kind, Schema
from shared.versions.onnx_model import OUTPUT_NAMES
from worker.training.converters import boosters
from worker.training.converters.advice import advice_for
from worker.training.converters.graph import FLOAT, INT64, STRING, Graph
from worker.training.converters.predictors import labels_and_probabilities, number
from worker.training.converters.steps import Step
from worker.training.converters.tables import Table, Tensor


def to_onnx(fitted: Any, schema: Schema) -> bytes:
    """Return a model with an input of shape (rows, 1) per feature.

    A classifier gives `label`, int64 of shape (rows,), places in `schema.classes`; and
    `probabilities`, float32 of shape (rows, classes). A regression gives `prediction`, float32 of
    shape (rows, 1).

    Raises:
        EstimatorBroken: a step has no exact conversion, or the model does not fit the schema. The
            message names the step, and what to take instead.
    """
    boosters.register()
    is_regression = schema.kind is Kind.REGRESSION
    outputs = OUTPUT_NAMES[schema.kind]
    names = [feature.name for feature in schema.features]
    _check_names(names, outputs)
    _check_kind(fitted, schema)
    graph = Graph(reserved=[*names, *outputs])
    inputs, tensors = list[ValueInfoProto](), list[Tensor]()
    for feature in schema.features:
        element = FLOAT if feature.kind == "number" else STRING
        inputs.append(helper.make_tensor_value_info(feature.name, element, [None, 1]))
        tensors.append(Tensor(feature.name, element, 1))
    table = Table(graph, tuple(tensors), _sample(schema))
    with warnings.catch_warnings():
        # Of libraries about each other; what counts is proved afterwards.
        warnings.simplefilter("ignore")
        if is_regression:
            sources = [number(fitted, table, Step())]
            shapes: list[tuple[int, list[int | None]]] = [(FLOAT, [None, 1])]
        else:
            sources = [*labels_and_probabilities(fitted, table, Step())]
            shapes = [(INT64, [None]), (FLOAT, [None, len(schema.classes)])]
    described = [
        helper.make_tensor_value_info(name, *shape)
        for name, shape in zip(outputs, shapes, strict=True)
    ]
    content: bytes = graph.model(inputs, described, sources).SerializeToString()
    return content


def _check_names(names: Sequence[str], outputs: Sequence[str]) -> None:
    for name in names:
        if name in outputs:
            raise EstimatorBroken(
                f"the record's field {name!r} has the name of one of the model's answers "
                f"({', '.join(outputs)}); give the field another name"
            )


def _check_kind(fitted: Any, schema: Schema) -> None:
    """Raise EstimatorBroken if the model does not answer what the schema says."""
    name = type(fitted).__name__
    if schema.kind is Kind.REGRESSION:
        if not is_regressor(fitted):
            raise EstimatorBroken(
                f"the target {schema.target} is a number, so the model is to be a regressor; "
                f"estimator() gave {name}"
            )
        return
    if not is_classifier(fitted):
        raise EstimatorBroken(
            f"the target {schema.target} is a Literal, so the model is to be a classifier; "
            f"estimator() gave {name}"
        )
    if not hasattr(fitted, "predict_proba"):
        last = _answering(fitted)
        raise EstimatorBroken(
            f"{type(last).__name__} gives no probabilities (it has no predict_proba), which "
            f"answers, metrics and the proof need; take {advice_for(last)}"
        )
    found = np.asarray(fitted.classes_).tolist()
    if found != list(schema.classes):
        raise EstimatorBroken(
            f"expected the model to know the classes {list(schema.classes)} of {schema.target}, "
            f"in this order; it knows {found}"
        )


def _answering(fitted: Any) -> Any:
    while True:
        if hasattr(fitted, "steps"):
            fitted = fitted.steps[-1][1]
        elif hasattr(fitted, "best_estimator_"):
            fitted = fitted.best_estimator_
        else:
            return fitted


def _sample(schema: Schema) -> pd.DataFrame:
    """Return rows of the types that the model was fitted on: float32 and Python strings."""
    columns: dict[str, Any] = {}
    for feature in schema.features:
        if feature.kind == "category":
            columns[feature.name] = np.array([feature.categories[0]] * 2, object)
        else:
            lowest, highest = feature.bounds
            middle = np.float32(min(max(1.0, lowest), highest))
            columns[feature.name] = np.array([middle] * 2, np.float32)
    return pd.DataFrame(columns)
