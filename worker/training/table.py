"""The training table: reads it and checks each value that a model learns from."""

import hashlib
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyarrow.parquet import ParquetFile

from shared.errors import BadTrainingData
from shared.schema.features import Feature
from shared.schema.schema import Schema
from shared.versions.manifest import TrainingData
from worker.training.reading import csv_file
from worker.training.reading.cells import number
from worker.training.reading.packing import PARQUET, too_large, unpack
from worker.training.source import MOST_BYTES, TIMEOUT_SECONDS, fetch, shown_as


@dataclass(frozen=True)
class TrainingTable:
    """A checked training table, and where it came from."""

    features: pd.DataFrame
    """A column per feature: float32 with NaN for missing numbers, strings with "" for missing
    categories."""
    labels: NDArray[np.int64]
    """0 or 1, of shape (rows,)."""
    data: TrainingData


def load(
    source: str,
    schema: Schema,
    *,
    least_per_label: int,
    most_bytes: int = MOST_BYTES,
    timeout_seconds: float = TIMEOUT_SECONDS,
    checkpoint: Callable[[], None] = lambda: None,
) -> TrainingTable:
    """Read and check a CSV or Parquet file from a path or an http(s) URL; ignore other columns.

    `checkpoint` is called again and again meanwhile; what it raises ends the reading.

    Raises:
        BadTrainingData: the file cannot be read, a column is missing, a value is one that a record
            cannot have, or a label has fewer than `least_per_label` rows.
    """
    shown = shown_as(source)
    content = fetch(source, most_bytes, timeout_seconds, checkpoint)
    digest = hashlib.sha256(content).hexdigest()
    content = unpack(content, shown, most_bytes)
    others = [schema.target]
    table = parse(content, shown, schema.features, others, most_bytes, checkpoint)
    del content
    if table.empty:
        raise BadTrainingData(f"{shown} has a header but no rows; expected a row per record")
    features = features_of(table, shown, schema.features)
    labels = _labels(table[schema.target], shown, least_per_label)
    data = TrainingData(
        source=shown,
        sha256=digest,
        rows=len(labels),
        positives=int(labels.sum()),
    )
    return TrainingTable(features, labels, data)


def features_of(table: pd.DataFrame, shown: str, features: Sequence[Feature]) -> pd.DataFrame:
    """Return a checked column per feature, as the model takes it. Raises BadTrainingData."""
    # With its type: pandas would make a type of its own of objects that are text.
    columns = {f.name: _column(table[f.name], f, shown).to_numpy() for f in features}
    return pd.DataFrame({f.name: pd.Series(columns[f.name], dtype=f.dtype) for f in features})


def parse(
    content: bytes,
    shown: str,
    features: Sequence[Feature],
    others: Sequence[str] = (),
    most_bytes: int = MOST_BYTES,
    checkpoint: Callable[[], None] = lambda: None,
) -> pd.DataFrame:
    """Return the columns of the features, and others, of a CSV or Parquet file.

    Raises BadTrainingData.
    """
    if content.startswith(PARQUET):
        wanted = [*(feature.name for feature in features), *others]
        return _parquet(content, shown, wanted, most_bytes)
    return csv_file.read(content, shown, features, others, checkpoint)


def _parquet(content: bytes, shown: str, wanted: Sequence[str], most_bytes: int) -> pd.DataFrame:
    try:
        file = ParquetFile(io.BytesIO(content))
        header = [csv_file.plain(name) for name in file.schema_arrow.names]
        places = {name: csv_file.place(header, name, shown) for name in wanted}
        if missing := [name for name in wanted if places[name] < 0]:
            raise csv_file.lacking(file.schema_arrow.names, missing, shown)
        # A column of one value is a few bytes, however many rows it has.
        if file.metadata.num_rows * len(wanted) * 8 > most_bytes:
            raise too_large(shown, most_bytes, " when unpacked")
        names = [file.schema_arrow.names[places[name]] for name in wanted]
        table: pd.DataFrame = file.read(columns=names).to_pandas(ignore_metadata=True)
    # pyarrow's errors are ValueErrors and OSErrors, but for what it does not implement.
    except (ValueError, OSError, NotImplementedError) as error:
        raise BadTrainingData(
            f"{shown}: expected a CSV or a Parquet table, got neither: {error}"
        ) from error
    return table[names].set_axis([*wanted], axis=1)


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
                f"{shown}, column {column.name}: expected at least {least_per_label} rows of each label, "
                f"for {least_per_label}-fold cross-validation; got {count or 'no'} "
                f"row{'s' * (count != 1)} with label {label} among {len(labels)}"
            )
    return labels


def _numbers(column: "pd.Series[Any]", shown: str) -> "pd.Series[float]":
    # to_numeric takes true and false for 1 and 0, and a date for nanoseconds.
    if pd.api.types.is_bool_dtype(column.dtype):
        _refuse(column.notna(), column, shown, "a number", found="a boolean; write 1 or 0")
    is_text = column.dtype == object or pd.api.types.is_string_dtype(column.dtype)
    if is_text:
        # Booleans beside a gap, or as text.
        booleans = column.map(_is_boolean).astype(bool)
        _refuse(booleans, column, shown, "a number", found="a boolean; write 1 or 0")
    if column.dtype.kind in "mM":
        _refuse(column.notna(), column, shown, "a number", found="a date or a duration")
    numbers = column
    if is_text:
        numbers = column.map(_value, na_action="ignore")
    numbers = pd.to_numeric(numbers, errors="coerce")
    _refuse(numbers.isna() & column.notna(), column, shown, "a number")
    return numbers.astype(np.float64).where(column.notna())


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
        found = _shown(column.iloc[rows[0]], expects_text="one of" in expected)
    line = ""
    if column.index.name == csv_file.LINE:
        line = f"line {column.index[rows[0]]} of the file; "
    raise BadTrainingData(
        f"{shown}, row {rows[0] + 1}, column {column.name}: expected {expected}, got {found} "
        f"({line}{len(rows)} such row{'s' * (len(rows) != 1)}; the header is not counted)"
    )


def _shown(value: object, *, expects_text: bool) -> str:
    text = repr(str(value)[:40])
    if expects_text and not isinstance(value, str):
        return f"{text}, which is not text but of the type {type(value).__name__}"
    return text
