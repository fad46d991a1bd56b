"""The conversion of a fitted pipeline into an ONNX model."""

from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.pipeline import Pipeline

from shared.schema.schema import Schema
from shared.versions.onnx_model import OUTPUT_NAMES


def to_onnx(pipeline: Pipeline, schema: Schema) -> bytes:
    """Return a model with an input of shape (rows, 1) per feature and `OnnxModel`'s outputs."""
    tensors = {"number": FloatTensorType([None, 1]), "category": StringTensorType([None, 1])}
    model = convert_sklearn(
        pipeline,
        name="lifeboat",
        initial_types=[(feature.name, tensors[feature.kind]) for feature in schema.features],
        final_types=list(
            zip(
                OUTPUT_NAMES[schema.kind],
                [Int64TensorType([None]), FloatTensorType([None, 2])],
                strict=True,
            )
        ),
        # With zipmap the probabilities are a list of dictionaries.
        options={id(pipeline.steps[-1][1]): {"zipmap": False}},
    )
    content: bytes = model.SerializeToString()
    return content
