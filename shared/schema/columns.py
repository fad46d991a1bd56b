"""The columns of records, as the model takes them: one numpy array per feature."""

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


def to_columns(
    records: Sequence[msgspec.Struct], features: Sequence[Feature] = FEATURES
) -> Columns:
    """Return the columns of checked records, without an object per record."""
    values = zip(*map(astuple, records), strict=True) if records else [()] * len(features)
    return {
        feature.name: to_column(feature, column)
        for feature, column in zip(features, values, strict=True)
    }


def to_column(feature: Feature, values: Sequence[Any]) -> NDArray[Any]:
    """Return the column of one feature's checked values; None is a missing value."""
    if feature.kind == "number":
        try:
            column: NDArray[Any] = np.fromiter(values, np.float32, len(values))
        except TypeError:
            # An explicit null. np.array turns None into NaN, but is slower.
            column = np.array(values, np.float32)
    else:
        # A set, because a search in a sequence compares None with each string.
        if None in {*values}:
            missing = feature.missing
            values = [value or missing for value in values]
        column = np.fromiter(values, object, len(values))
    return column.reshape(-1, 1)


def missing_column(feature: Feature, rows: int) -> NDArray[Any]:
    """Return a column in which every value is missing."""
    return np.full((rows, 1), feature.missing, feature.dtype)
