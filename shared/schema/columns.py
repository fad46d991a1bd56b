"""Records as the model takes them: one numpy column per feature."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import astuple
from numpy.typing import NDArray

from shared.schema.features import FEATURES, Feature

Columns = Mapping[str, NDArray[Any]]
"""Feature name -> array of shape (rows, 1): float32 for numbers, with NaN for a missing one;
Python strings (dtype object) for categories, with "" for a missing one."""


def to_columns(records: Sequence[msgspec.Struct]) -> Columns:
    """Checked records as the model takes them; no object per record is made."""
    values = zip(*map(astuple, records), strict=True) if records else [()] * len(FEATURES)
    return {
        feature.name: to_column(feature, column)
        for feature, column in zip(FEATURES, values, strict=True)
    }


def to_column(feature: Feature, values: Sequence[Any]) -> NDArray[Any]:
    """Checked values of one feature as the model takes them."""
    if feature.kind == "number":
        try:
            column: NDArray[Any] = np.fromiter(values, np.float32, len(values))
        except TypeError:
            # An explicit null: np.array turns None into NaN, and is slower.
            column = np.array(values, np.float32)
    else:
        # A set, because looking through a sequence compares None with each string.
        if None in {*values}:
            values = [value or "" for value in values]
        column = np.fromiter(values, object, len(values))
    return column.reshape(-1, 1)
