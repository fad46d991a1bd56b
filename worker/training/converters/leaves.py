"""Estimators that skl2onnx, or onnxmltools for the boosters, converts one at a time."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from onnx import ModelProto
from skl2onnx import convert_sklearn
from skl2onnx._supported_operators import get_model_alias
from skl2onnx.common._registration import get_converter
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType
from sklearn.base import is_classifier
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from worker.training.converters.graph import DOUBLE, FLOAT, ML, OPSETS, STRING
from worker.training.converters.steps import Step
from worker.training.converters.tables import Table, Tensor, width_of

_TYPES = {FLOAT: FloatTensorType, DOUBLE: DoubleTensorType, STRING: StringTensorType}
_MOST_WORDS = 160


def transform(model: Any, table: Table, sample: Any, step: Step) -> Table:
    """Return the table that the transformer makes."""
    separate = isinstance(model, (OneHotEncoder, OrdinalEncoder))
    name, element = _converted(model, _inputs(model, table, separate, step), table, step)[0]
    width = width_of(sample)
    if width is None:
        width = len(model.get_feature_names_out())
    return table.then(sample, Tensor(name, element, width))


def probabilities(model: Any, table: Table, step: Step) -> tuple[str, str | None]:
    """Return the names of the probabilities, and of the codes of the labels."""
    inputs = _inputs(model, table, False, step)
    (label, kind), (answer, _) = _converted(model, inputs, table, step, zipmap=False)[:2]
    return answer, _codes(model, table, label, kind)


def scores(model: Any, table: Table, step: Step) -> str:
    """Return the name of what `decision_function` gives: one column if there are two classes."""
    if "raw_scores" not in _options(model):
        step.refuse(model, "its decision_function has no conversion")
    inputs = _inputs(model, table, False, step)
    outputs = _converted(model, inputs, table, step, zipmap=False, raw_scores=True)
    answer = outputs[1][0]
    if len(model.classes_) > 2:
        return answer
    # Some give both classes, some the second alone, and in one dimension or two.
    graph = table.graph
    rows = graph.put("Shape", answer, start=0, end=1)
    shape = graph.put("Concat", rows, graph.constant(np.array([-1], np.int64)), axis=0)
    flat = graph.put("Reshape", answer, shape)
    return graph.put("Gather", flat, graph.constant(np.array([-1], np.int64)), axis=1)


def number(model: Any, table: Table, step: Step) -> str:
    """Return the name of a regression's answers, of shape (rows, 1)."""
    ((name, _),) = _converted(model, _inputs(model, table, False, step), table, step)[:1]
    return table.graph.put("Reshape", name, table.graph.constant(np.array([-1, 1], np.int64)))


def _inputs(model: Any, table: Table, separate: bool, step: Step) -> list[Tensor]:
    """Return the tensors that the model is given: one, or one per column."""
    if separate:
        return [table.select([column]).tensors[0] for column in range(table.width)]
    if table.has_strings and any(tensor.element != STRING for tensor in table.tensors):
        step.refuse(
            model,
            "expected columns of numbers, got categories among them",
            "a ColumnTransformer that gives the categories to OneHotEncoder or OrdinalEncoder",
        )
    if table.has_strings and hasattr(model, "predict"):
        step.refuse(model, "expected numbers, got categories", "OneHotEncoder before it")
    element = STRING if table.has_strings else FLOAT
    return [Tensor(table.joined(element), element, table.width)]


def _converted(
    model: Any, inputs: list[Tensor], table: Table, step: Step, **options: bool
) -> list[tuple[str, int]]:
    """Put the model's conversion inside the graph; return its outputs and their types."""
    names = {f"input{place}": tensor for place, tensor in enumerate(inputs)}
    allowed = _options(model)
    options = {name: value for name, value in options.items() if name in allowed}
    try:
        converted: ModelProto = convert_sklearn(
            model,
            initial_types=[
                (name, _TYPES[tensor.element]([None, tensor.width]))
                for name, tensor in names.items()
            ],
            options={id(model): options} if options else None,
            target_opset=OPSETS,
        )
    # Whatever it meets: a type it does not know, an option it does not read, a version it is not
    # made for.
    except Exception as error:
        said = " ".join(str(error).split())
        if type(error).__name__.startswith("Missing"):
            said = "it has no conversion"
        elif len(said) > _MOST_WORDS:
            said = said[:_MOST_WORDS] + "..."
        step.refuse(model, said)
    return table.graph.splice(converted, {name: tensor.name for name, tensor in names.items()})


def _options(model: Any) -> Mapping[str, Any]:
    try:
        allowed: Mapping[str, Any] | None = get_converter(
            get_model_alias(type(model))
        ).get_allowed_options()
    except (RuntimeError, ValueError, AttributeError):
        return {}
    return allowed or {}


def _codes(model: Any, table: Table, label: str, kind: int) -> str | None:
    """Return the labels as places in `classes_`; None if they are to be read off elsewhere."""
    if not is_classifier(model):
        return None
    classes = list(model.classes_)
    places = list(range(len(classes)))
    if kind == STRING:
        keys: dict[str, Any] = {"keys_strings": [str(name) for name in classes]}
    elif [int(name) for name in classes] == places:
        return label
    else:
        keys = {"keys_int64s": [int(name) for name in classes]}
    return table.graph.put(
        "LabelEncoder", label, domain=ML, values_int64s=places, default_int64=-1, **keys
    )
