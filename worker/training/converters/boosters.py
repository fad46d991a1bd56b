"""XGBoost and LightGBM: read by onnxmltools, if a definition's requirements.txt brings them."""

import copy
import functools
import importlib
import logging
from typing import Any

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.common.shape_calculator import (
    calculate_linear_classifier_output_shapes,
    calculate_linear_regressor_output_shapes,
)

from worker.training.converters.trees import rounded_down

_CLASSIFIER = {"nocl": [True, False], "zipmap": [True, False, "columns"]}

log = logging.getLogger(__name__)


@functools.cache
def register() -> None:
    """Make known to skl2onnx what is installed of the boosters."""
    _register("xgboost", "XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor")
    _register("lightgbm", "LGBMClassifier", "LGBMRegressor")


def _register(library: str, *names: str) -> None:
    module = {"xgboost": "XGBoost", "lightgbm": "LightGbm"}[library]
    try:
        estimators = importlib.import_module(library)
        converters = importlib.import_module(
            f"onnxmltools.convert.{library}.operator_converters.{module}"
        )
    except ImportError:
        return
    convert = getattr(converters, f"convert_{library}")
    if library == "lightgbm":
        convert = functools.partial(_convert_rounded_down, convert)
    for name in names:
        is_classifier = name.endswith("Classifier")
        update_registered_converter(
            getattr(estimators, name),
            f"Lifeboat{name}",
            calculate_linear_classifier_output_shapes
            if is_classifier
            else calculate_linear_regressor_output_shapes,
            convert,
            options=_CLASSIFIER if is_classifier else {"split": None},
        )


def _convert_rounded_down(convert: Any, scope: Any, operator: Any, container: Any) -> None:
    """Convert a model of LightGBM's with thresholds that float32 can hold.

    The converter rounds a threshold to the nearest float32, which may be above it.
    """
    model = operator.raw_operator
    rounded = copy.copy(model)
    rounded._Booster = _RoundedDown(model.booster_)
    operator.raw_operator = rounded
    try:
        convert(scope, operator, container)
    finally:
        operator.raw_operator = model


class _RoundedDown:
    """A booster whose dump has rounded thresholds; otherwise the booster itself."""

    def __init__(self, booster: Any) -> None:
        self._booster = booster

    def __getattr__(self, name: str) -> Any:
        return getattr(self._booster, name)

    def dump_model(self, *arguments: Any, **named: Any) -> Any:
        dump = self._booster.dump_model(*arguments, **named)
        for tree in dump["tree_info"]:
            nodes = [tree["tree_structure"]]
            while nodes:
                node = nodes.pop()
                if node.get("decision_type") == "<=":
                    threshold = np.array(node["threshold"], np.float64)
                    node["threshold"] = float(rounded_down(threshold))
                nodes += [node[side] for side in ("left_child", "right_child") if side in node]
        return dump
