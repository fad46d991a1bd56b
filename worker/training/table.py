"""The training table: reads it and checks each value that a model learns from."""

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
"""Cells of a CSV that stand for a missing value, unless they are a category: pandas's own list."""


@dataclass(frozen=True)
class TrainingTable:
    """A checked training table, and where it came from."""

    features: pd.DataFrame
    """A column per feature: float32 with NaN for missing numbers, strings with "" for missing
    categories."""
    labels: NDArray[np.int64]
    """0 or 1, of shape (rows,)."""
    data: TrainingData


def load(source: str, *, least_per_label: int) -> TrainingTable:
    """Read and check a CSV or Parquet file from a path or an http(s) URL; ignore other columns.

    Raises:
        BadTrainingData: the file cannot be read, a column is missing, a value is one that a record
            cannot have, or a label has fewer than `least_per_label` rows.
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
        raise BadTrainingData(f"{shown} has a header but no rows; expected a row per record")
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
    """Return a checked column per feature, as the model takes it. Raises BadTrainingData."""
    return pd.DataFrame({f.name: _column(table[f.name], f, shown) for f in features})


def parse(content: bytes, shown: str, features: Sequence[Feature] = FEATURES) -> pd.DataFrame:
    """Return the table that a CSV or Parquet file holds. Raises BadTrainingData."""
    try:
        if content.startswith(_PARQUET_MAGIC):
            return pd.read_parquet(io.BytesIO(content))
        return _csv(content, {f.name: f.categories for f in features if f.kind == "category"})
    # pyarrow's errors are ValueErrors and OSErrors, pandas's parser errors ValueErrors.
    except (ValueError, OSError) as error:
        raise BadTrainingData(
            f"{shown}: expected a CSV or a Parquet table, got neither: {error}"
        ) from error


def _csv(content: bytes, categories: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Read a CSV, the cells of categories as they are written.

    By default pandas reads the category "1" as a number, "True" as a boolean, "None" as missing.
    """
    names = pd.read_csv(io.BytesIO(content), nrows=0).columns
    return pd.read_csv(
        io.BytesIO(content),
        low_memory=False,
        dtype=dict.fromkeys(categories, str),
        keep_default_na=False,
        na_values={name: [*_EMPTY_CELLS.difference(categories.get(name, ()))] for name in names},
    )


def _column(column: "pd.Series[Any]", feature: Feature, shown: str) -> Any:
    absent = column.isna()
    if feature.required:
        found = "no value; the field is required"
        _refuse(absent, column, shown, feature.expected, found=found)
    if feature.kind == "category":
        values = column.astype(object).where(~absent, feature.missing)
    else:
        values = _numbers(column, shown)
    _refuse(~(absent | feature.sound(values.to_numpy())), column, shown, feature.expected)
    if feature.kind == "category":
        values = values.astype(str)
    return values.astype(feature.dtype)


def _labels(column: "pd.Series[Any]", shown: str, least_per_label: int) -> NDArray[np.int64]:
    _refuse(column.isna(), column, shown, "a label, 0 or 1", found="no value")
    numbers = _numbers(column, shown)
    _refuse(~numbers.isin((0, 1)), column, shown, "0 or 1")
    labels = numbers.to_numpy().astype(np.int64)
    for label in (0, 1):
        count = int((labels == label).sum())
        if count < least_per_label:
            raise BadTrainingData(
                f"{shown}, column {LABEL}: expected at least {least_per_label} rows of each label, "
                f"for {least_per_label}-fold cross-validation; got {count or 'no'} "
                f"row{'s' * (count != 1)} with label {label} among {len(labels)}"
            )
    return labels


def _numbers(column: "pd.Series[Any]", shown: str) -> "pd.Series[float]":
    # to_numeric takes true and false for 1 and 0, and a date for nanoseconds.
    if pd.api.types.is_bool_dtype(column.dtype):
        _refuse(column.notna(), column, shown, "a number", found="a boolean; write 1 or 0")
    if column.dtype == object:
        # Booleans beside a gap.
        booleans = column.map(lambda value: isinstance(value, bool | np.bool_)).astype(bool)
        _refuse(booleans, column, shown, "a number", found="a boolean; write 1 or 0")
    if column.dtype.kind in "mM":
        _refuse(column.notna(), column, shown, "a number", found="a date or a duration")
    try:
        numbers = pd.to_numeric(column, errors="coerce")
    except OverflowError:
        # An integer of more than 308 digits; as text it is infinite.
        numbers = pd.to_numeric(column.astype("string"), errors="coerce")
    _refuse(numbers.isna() & column.notna(), column, shown, "a number")
    return numbers.astype(np.float64).where(column.notna())


def _refuse(
    wrong: "pd.Series[bool]",
    column: "pd.Series[Any]",
    shown: str,
    expected: str,
    *,
    found: str | None = None,
) -> None:
    """Raise BadTrainingData for the first row that is wrong, if there is one."""
    rows = np.flatnonzero(wrong.to_numpy())
    if not len(rows):
        return
    if found is None:
        found = repr(str(column.iloc[rows[0]])[:40])
    raise BadTrainingData(
        f"{shown}, row {rows[0] + 1}, column {column.name}: expected {expected}, got {found} "
        f"({len(rows)} such row{'s' * (len(rows) != 1)}; the header is not counted)"
    )
