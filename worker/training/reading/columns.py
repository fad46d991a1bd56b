"""The columns of a table, each value checked as `Feature` says."""

import math
from typing import Any

import numpy as np
import pandas as pd

from shared.errors import BadTrainingData
from shared.schema.features import Feature
from worker.training.reading import csv_file
from worker.training.reading.cells import number


def column_of(column: "pd.Series[Any]", feature: Feature, shown: str) -> "pd.Series[Any]":
    """Return a checked column: float64 with NaN for a missing number, or texts with "".

    Raises BadTrainingData.
    """
    absent = column.isna()
    if feature.required:
        found = "no value; the field is required"
        refuse(absent, column, shown, feature.expected, found=found)
    is_text = feature.kind == "category"
    if is_text:
        values: pd.Series[Any] = column.astype(object).where(~absent, feature.missing)
    else:
        values = numbers(column, shown)
    wrong = ~(absent | feature.sound(values.to_numpy()))
    refuse(wrong, column, shown, feature.expected, expects_text=is_text)
    return values


def numbers(column: "pd.Series[Any]", shown: str) -> "pd.Series[float]":
    """Return a column as float64, NaN for missing. Raises BadTrainingData for what is no number."""
    # to_numeric takes true and false for 1 and 0, and a date for nanoseconds.
    if pd.api.types.is_bool_dtype(column.dtype):
        refuse(column.notna(), column, shown, "a number", found="a boolean; write 1 or 0")
    is_text = column.dtype == object or pd.api.types.is_string_dtype(column.dtype)
    if is_text:
        # Booleans beside a gap, or as text.
        booleans = column.map(_is_boolean).astype(bool)
        refuse(booleans, column, shown, "a number", found="a boolean; write 1 or 0")
    if column.dtype.kind in "mM":
        refuse(column.notna(), column, shown, "a number", found="a date or a duration")
    found: pd.Series[Any] = column
    if is_text:
        found = column.map(_value, na_action="ignore")
    elif isinstance(column.dtype, pd.CategoricalDtype):
        found = column.astype(object)
    found = pd.to_numeric(found, errors="coerce")
    refuse(found.isna() & column.notna(), column, shown, "a number")
    return found.astype(np.float64).where(column.notna())


def refuse(
    wrong: "pd.Series[bool]",
    column: "pd.Series[Any]",
    shown: str,
    expected: str,
    *,
    found: str | None = None,
    expects_text: bool = False,
) -> None:
    """Raise BadTrainingData for the first row that is wrong, if there is one."""
    rows = np.flatnonzero(wrong.to_numpy())
    if not len(rows):
        return
    if found is None:
        found = _shown(column.iloc[rows[0]], expects_text=expects_text)
    line = ""
    if column.index.name == csv_file.LINE:
        line = f"line {column.index[rows[0]]} of the file; "
    raise BadTrainingData(
        f"{shown}, row {rows[0] + 1}, column {column.name}: expected {expected}, got {found} "
        f"({line}{len(rows)} such row{'s' * (len(rows) != 1)}; the header is not counted)"
    )


def _is_boolean(value: object) -> bool:
    return isinstance(value, bool | np.bool_) or str(value).strip().lower() in ("true", "false")


def _value(value: object) -> object:
    if isinstance(value, str):
        return number(value)
    try:
        return float(value) if isinstance(value, int) else value
    except OverflowError:
        # An integer of more than 308 digits.
        return math.inf


def _shown(value: object, *, expects_text: bool) -> str:
    text = repr(str(value)[:40])
    if expects_text and not isinstance(value, str):
        return f"{text}, which is not text but of the type {type(value).__name__}"
    return text
