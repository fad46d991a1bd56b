"""Loads the training table and refuses what training cannot use, with a message to act on."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shared.errors import BadTrainingData
from shared.schema.features import FEATURES, Feature
from shared.schema.passenger import LABEL
from shared.versions.manifest import TrainingData
from worker.training.source import fetch, shown_as

_PARQUET_MAGIC = b"PAR1"
_EMPTY_CELLS = frozenset(
    ["", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"]
    + ["<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"]
)
"""What stands for a missing value in a CSV, unless it is a category: pandas's own list."""


@dataclass(frozen=True)
class TrainingTable:
    features: pd.DataFrame
    """A column per feature: float32 with NaN for missing numbers, strings with "" for missing
    categories."""
    labels: NDArray[np.int64]
    """0 or 1, of shape (rows,)."""
    data: TrainingData


def load(source: str, *, least_per_label: int) -> TrainingTable:
    """Reads a CSV or Parquet file from a path or an http(s) URL; other columns are left alone.

    Raises:
        BadTrainingData: there is nothing to read, a column is missing or holds what no prediction
            could be asked for, or a label has fewer than `least_per_label` rows.
    """
    shown = shown_as(source)
    content = fetch(source)
    table = parse(content, shown)
    wanted = [feature.name for feature in FEATURES] + [LABEL]
    missing = [name for name in wanted if name not in table.columns]
    if missing:
        raise BadTrainingData(
            f"{shown} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; "
            f"it has {', '.join(str(name) for name in table.columns[:20])}"
        )
    if table.empty:
        raise BadTrainingData(f"{shown} has a header but no rows")
    features = features_of(table, shown)
    labels = _labels(table[LABEL], shown, least_per_label)
    data = TrainingData(
        source=shown,
        sha256=hashlib.sha256(content).hexdigest(),
        rows=len(labels),
        positives=int(labels.sum()),
    )
    return TrainingTable(features, labels, data)


def features_of(
    table: pd.DataFrame, shown: str, features: Sequence[Feature] = FEATURES
) -> pd.DataFrame:
    """A column per feature, checked, as the model takes it. Raises BadTrainingData."""
    return pd.DataFrame({f.name: _column(table[f.name], f, shown) for f in features})


def parse(content: bytes, shown: str, features: Sequence[Feature] = FEATURES) -> pd.DataFrame:
    """The table in the bytes of a CSV or Parquet file. Raises BadTrainingData."""
    try:
        if content.startswith(_PARQUET_MAGIC):
            return pd.read_parquet(io.BytesIO(content))
        return _csv(content, {f.name: f.categories for f in features if f.kind == "category"})
    # pyarrow's errors are ValueErrors and OSErrors, pandas's parser errors ValueErrors.
    except (ValueError, OSError) as error:
        raise BadTrainingData(f"{shown} is neither a CSV nor a Parquet table: {error}") from error


def _csv(content: bytes, categories: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Reads the cells of categories as they are: pandas would make a number of a category "1", a
    boolean of "True", and a missing value of "None"."""
    names = pd.read_csv(io.BytesIO(content), nrows=0).columns
    return pd.read_csv(
        io.BytesIO(content),
        low_memory=False,
        dtype=dict.fromkeys(categories, str),
        keep_default_na=False,
        na_values={name: [*_EMPTY_CELLS.difference(categories.get(name, ()))] for name in names},
    )


def _column(column: "pd.Series[Any]", feature: Feature, shown: str) -> Any:
    where = f"{shown}, column {feature.name}"
    absent = column.isna()
    if feature.required and absent.any():
        raise BadTrainingData(f"{where}: {_row(absent)} has no value, and it is required")
    if feature.kind == "category":
        values = column.astype(object).where(~absent, feature.missing)
    else:
        values = _numbers(column, where)
    _refuse(~(absent | feature.sound(values.to_numpy())), column, where, feature.expected)
    if feature.kind == "category":
        values = values.astype(str)
    return values.astype(feature.dtype)


def _labels(column: "pd.Series[Any]", shown: str, least_per_label: int) -> NDArray[np.int64]:
    where = f"{shown}, column {LABEL}"
    absent = column.isna()
    if absent.any():
        raise BadTrainingData(f"{where}: {_row(absent)} has no label")
    numbers = _numbers(column, where)
    _refuse(~numbers.isin((0, 1)), column, where, "0 or 1")
    labels = numbers.to_numpy().astype(np.int64)
    for label in (0, 1):
        count = int((labels == label).sum())
        if count < least_per_label:
            raise BadTrainingData(
                f"{where}: {count or 'no'} row{'s' * (count != 1)} with label {label} among "
                f"{len(labels)}; at least {least_per_label} of each label are needed for "
                f"{least_per_label}-fold cross-validation"
            )
    return labels


def _numbers(column: "pd.Series[Any]", where: str) -> "pd.Series[float]":
    # to_numeric would take true and false for 1 and 0, and a date for nanoseconds.
    booleans = [isinstance(v, bool | np.bool_) for v in column] if column.dtype == object else []
    if pd.api.types.is_bool_dtype(column.dtype) or any(booleans):
        raise BadTrainingData(f"{where}: true and false are no numbers; write 1 and 0")
    if column.dtype.kind in "mM":
        raise BadTrainingData(f"{where}: expected a number, got a date or a duration")
    try:
        numbers = pd.to_numeric(column, errors="coerce")
    except OverflowError:
        # An integer of more than 308 digits; as text it is infinite.
        numbers = pd.to_numeric(column.astype("string"), errors="coerce")
    _refuse(numbers.isna() & column.notna(), column, where, "a number")
    return numbers.astype(np.float64)


def _refuse(wrong: "pd.Series[bool]", values: "pd.Series[Any]", where: str, expected: str) -> None:
    if wrong.any():
        value = str(values[wrong].iloc[0])[:40]
        raise BadTrainingData(
            f"{where}: {_row(wrong)} holds {value!r}, but {expected} is needed"
            f" ({int(wrong.sum())} such rows in all)"
        )


def _row(wrong: "pd.Series[bool]") -> str:
    return f"row {int(np.flatnonzero(wrong.to_numpy())[0]) + 1} (the header not counted)"
