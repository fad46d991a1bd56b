"""Versions of each kind of model, made by hand in a moment: what serves them needs no worker."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from shared.schema.features import Feature
from shared.schema.schema import Kind, Schema
from shared.versions.manifest import (
    ONNX_FILE,
    Gate,
    Manifest,
    Metrics,
    Parity,
    Plot,
    Score,
    TrainingData,
)
from shared.versions.reader import digests
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore

_SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 360 300">'
    b'<rect width="360" height="300" fill="white"/><text x="40" y="150">%s</text></svg>'
)


def _number(name: str, **more: Any) -> Feature:
    return Feature(name=name, kind="number", **{"required": False, **more})


_PENGUIN = (
    _number("bill_length_mm", required=True, minimum=0, maximum=100, description="Millimetres."),
    _number("bill_depth_mm", minimum=0, maximum=50, description="Millimetres."),
    Feature(
        name="island",
        kind="category",
        required=False,
        categories=("Biscoe", "Dream", "Torgersen"),
    ),
)
PENGUINS = Schema(
    record="Penguin",
    description="A penguin, as it was measured.",
    features=_PENGUIN,
    target="species",
    kind=Kind.MULTICLASS,
    classes=("Adelie", "Chinstrap", "Gentoo"),
    examples=({"bill_length_mm": 39.1, "bill_depth_mm": 18.7, "island": "Torgersen"},),
)
PENGUINS_SEX = Schema(
    record="Penguin",
    features=_PENGUIN,
    target="sex",
    kind=Kind.BINARY,
    classes=("female", "male"),
    positive="female",
    examples=PENGUINS.examples,
)
"""Takes the same records, and predicts something else of them."""
DIABETES = Schema(
    record="Patient",
    description="A patient with diabetes.",
    features=(
        _number("bmi", required=True, minimum=10, maximum=80, description="Body mass index."),
        _number("age", whole=True, minimum=0, maximum=120),
    ),
    target="progression",
    kind=Kind.REGRESSION,
    examples=({"bmi": 27.5, "age": 48},),
)
DECILES = [25.0, 60.0, 77.0, 94.0, 115.0, 140.5, 168.0, 196.0, 232.0, 265.0, 346.0]

_MULTICLASS_SCORES = {
    "roc_auc": (0.97, 0.01),
    "accuracy": (0.94, 0.02),
    "balanced_accuracy": (0.93, 0.03),
    "f1_macro": (0.931, 0.03),
    "log_loss": (0.21, 0.05),
}
_BINARY_SCORES = {
    "roc_auc": (0.87, 0.03),
    "accuracy": (0.82, 0.04),
    "log_loss": (0.42, 0.04),
    "brier_score": (0.13, 0.02),
}
_REGRESSION_SCORES = {
    "r2": (0.49, 0.08),
    "rmse": (54.25, 3.5),
    "mae": (43.125, 2.5),
}
_COMPARED = {Kind.BINARY: "roc_auc", Kind.MULTICLASS: "balanced_accuracy", Kind.REGRESSION: "r2"}
_PLOTS = {
    Kind.BINARY: [Plot.ROC, Plot.PRECISION_RECALL, Plot.CALIBRATION, Plot.CONFUSION_MATRIX],
    Kind.MULTICLASS: [Plot.ROC, Plot.CONFUSION_MATRIX],
    Kind.REGRESSION: [Plot.PREDICTION_ERROR, Plot.RESIDUALS],
}
_DATA: Mapping[Kind, Mapping[str, Any]] = {
    Kind.BINARY: {"positives": 165},
    Kind.MULTICLASS: {"labels": {"Adelie": 152, "Chinstrap": 68, "Gentoo": 124}},
    Kind.REGRESSION: {"quantiles": DECILES},
}


def onnx_model(schema: Schema, weights: NDArray[np.float32], bias: NDArray[np.float32]) -> bytes:
    """Return a linear model of the schema's numbers, in which a missing number counts as 0."""
    inputs, nodes, columns = [], [], []
    constants = [
        numpy_helper.from_array(weights.astype(np.float32), "weights"),
        numpy_helper.from_array(bias.astype(np.float32), "bias"),
        numpy_helper.from_array(np.zeros(1, np.float32), "zero"),
        numpy_helper.from_array(np.array([-1]), "flat"),
    ]
    for at, feature in enumerate(schema.features):
        number = feature.kind == "number"
        kind = TensorProto.FLOAT if number else TensorProto.STRING
        inputs.append(helper.make_tensor_value_info(feature.name, kind, [None, 1]))
        if number:
            nodes.append(helper.make_node("IsNaN", [feature.name], [f"missing {at}"]))
            known = ["zero", feature.name]
            nodes.append(helper.make_node("Where", [f"missing {at}", *known], [f"known {at}"]))
            columns.append(f"known {at}")
    nodes += [
        helper.make_node("Concat", columns, ["rows"], axis=1),
        helper.make_node("MatMul", ["rows", "weights"], ["weighed"]),
        helper.make_node("Add", ["weighed", "bias"], ["score"]),
    ]
    if schema.kind is Kind.REGRESSION:
        nodes.append(helper.make_node("Reshape", ["score", "flat"], ["prediction"]))
        outputs = [helper.make_tensor_value_info("prediction", TensorProto.FLOAT, [None])]
    else:
        nodes.append(helper.make_node("Softmax", ["score"], ["probabilities"], axis=1))
        nodes.append(helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0))
        shape = [None, len(schema.classes)]
        outputs = [
            helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, shape),
        ]
    graph = helper.make_graph(nodes, "linear", inputs, outputs, constants)
    opset = [helper.make_opsetid("", 17)]
    model: ModelProto = helper.make_model(graph, opset_imports=opset, ir_version=8)
    return bytes(model.SerializeToString())


def model_of(schema: Schema) -> bytes:
    """Return a model that tells the records of the schema apart."""
    if schema.kind is Kind.REGRESSION:
        return onnx_model(schema, np.array([[5.0], [0.5]]), np.array([1.0]))
    if schema.kind is Kind.BINARY:
        return onnx_model(schema, np.array([[-0.1, 0.1], [0.0, 0.0]]), np.array([4.4, -4.4]))
    weights = np.array([[-0.2, 0.2, 0.1], [0.2, 0.1, -0.4]])
    return onnx_model(schema, weights, np.array([5.0, -9.0, 2.0]))


def publish(models_dir: Path, schema: Schema, *, onnx: bytes | None = None, **changes: Any) -> str:
    """Publish a version of the schema; return its name."""
    store = ModelStore(LocalStorage(models_dir), None)
    store.create()
    scores = {
        Kind.BINARY: _BINARY_SCORES,
        Kind.MULTICLASS: _MULTICLASS_SCORES,
        Kind.REGRESSION: _REGRESSION_SCORES,
    }[schema.kind]
    metrics: Metrics = {
        name: Score(mean=mean, std=std, folds=10) for name, (mean, std) in scores.items()
    }
    files = {ONNX_FILE: onnx or model_of(schema)}
    files |= {plot.file: _SVG % plot.encode() for plot in _PLOTS[schema.kind]}
    sound: dict[str, Any] = {
        "model_version": store.new_version(),
        "schema": schema,
        "job_id": "0" * 32,
        "created_at": datetime.now(UTC),
        "files": digests(files),
        "metrics": metrics,
        "metric": _COMPARED[schema.kind],
        "gate": Gate(outcome="promoted", reason="a test", compared_with=None),
        "parity": Parity(rows=400, max_difference=1e-7, labels_differ=0, tolerance=1e-5),
        "data": TrainingData(source="test", sha256="0" * 64, rows=344, **_DATA[schema.kind]),
        "libraries": {},
        "stage_seconds": {},
    }
    return store.publish(Manifest(**(sound | changes)), files).model_version
