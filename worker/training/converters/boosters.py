"""XGBoost: read by onnxmltools, if a definition's requirements.txt brings both."""

import functools
import importlib
from collections.abc import Callable
from typing import Any

from skl2onnx import update_registered_converter
from skl2onnx.common.shape_calculator import (
    calculate_linear_classifier_output_shapes,
    calculate_linear_regressor_output_shapes,
)


@functools.cache
def register() -> None:
    """Make XGBoost's estimators known to skl2onnx; nothing if one of the libraries is missing."""
    try:
        xgboost = importlib.import_module("xgboost")
        converters = importlib.import_module(
            "onnxmltools.convert.xgboost.operator_converters.XGBoost"
        )
    except ImportError:
        return
    for name in ("XGBClassifier", "XGBRFClassifier", "XGBRegressor", "XGBRFRegressor"):
        is_classifier = name.endswith("Classifier")
        update_registered_converter(
            getattr(xgboost, name),
            f"Lifeboat{name}",
            calculate_linear_classifier_output_shapes
            if is_classifier
            else calculate_linear_regressor_output_shapes,
            _without_names(converters.convert_xgboost),
            options={"nocl": [True, False], "zipmap": [True, False]} if is_classifier else {},
        )


def _without_names(convert: Callable[..., None]) -> Callable[..., None]:
    """Hide the names of the columns, which onnxmltools takes for misspelt numbers of columns.

    XGBoost has them if it was fitted to a table itself, and not to what a step before returned.
    """

    @functools.wraps(convert)
    def converted(scope: Any, operator: Any, container: Any) -> None:
        booster = operator.raw_operator.get_booster()
        names, booster.feature_names = booster.feature_names, None
        try:
            convert(scope, operator, container)
        finally:
            booster.feature_names = names

    return converted
