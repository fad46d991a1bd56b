import numpy as np
import onnx

from shared.schema.schema import Kind
from shared.versions.onnx_model import OUTPUT_NAMES, OnnxModel
from tests.support.titanic import FEATURES, SCHEMA
from tests.support.versions import exported_pipeline, fitted_pipeline, training_table
from worker.training.export import to_onnx

OPTIONAL = [feature.name for feature in FEATURES if not feature.required]


def test_the_exported_model_takes_a_column_per_feature_and_gives_labels_and_probabilities() -> None:
    graph = onnx.load_from_string(exported_pipeline()).graph
    text, number = onnx.TensorProto.STRING, onnx.TensorProto.FLOAT
    assert {tensor.name: tensor.type.tensor_type.elem_type for tensor in graph.input} == {
        feature.name: number if feature.kind == "number" else text for feature in FEATURES
    }
    assert tuple(tensor.name for tensor in graph.output) == OUTPUT_NAMES[Kind.BINARY]


def test_the_exported_model_is_sound() -> None:
    onnx.checker.check_model(onnx.load_from_string(exported_pipeline()), full_check=True)


def test_the_same_pipeline_exports_the_same_answers() -> None:
    columns = {n: training_table().features[n].to_numpy().reshape(-1, 1) for n in OPTIONAL}
    columns["Sex"] = training_table().features["Sex"].to_numpy().reshape(-1, 1)
    first = OnnxModel(exported_pipeline(), SCHEMA).predict(columns)
    second = OnnxModel(to_onnx(fitted_pipeline(), SCHEMA), SCHEMA).predict(columns)
    assert first.probabilities is not None and second.probabilities is not None
    assert np.array_equal(first.probabilities, second.probabilities)
