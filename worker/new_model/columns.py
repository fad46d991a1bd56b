"""The columns of a table that nobody has described yet: what they seem to hold."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pandas as pd
from pyarrow.parquet import ParquetFile

from shared.errors import BadTrainingData
from shared.schema.features import Feature
from worker.training.reading import csv_file
from worker.training.reading.packing import PARQUET, unpack
from worker.training.source import MOST_BYTES, TIMEOUT_SECONDS, fetch, shown_as

_A_NUMBER = re.compile(r"[+-]?([0-9]+[.,]?[0-9]*|[.,][0-9]+)([eE][+-]?[0-9]+)?")
_A_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{1,2}[./][0-9]{1,2}[./][0-9]{2,4}")


class Holds(StrEnum):
    """What a column seems to hold."""

    NUMBERS = "numbers"
    TEXTS = "texts"
    # Of Parquet alone: in a CSV they are texts.
    BOOLEANS = "booleans"
    DATES = "dates"
    # Lists, bytes, or nothing at all.
    OTHER = "other"


@dataclass(frozen=True)
class Column:
    """One column; its values without those that are missing."""

    name: str
    holds: Holds
    values: Sequence[Any]
    rows: int
    distinct: tuple[Any, ...] = field(default=(), compare=False)
    """Its values in ascending order, each once."""

    @property
    def has_gaps(self) -> bool:
        return len(self.values) < self.rows

    @property
    def is_whole(self) -> bool:
        """Return whether it holds numbers without a fraction."""
        return self.holds is Holds.NUMBERS and all(float(v).is_integer() for v in self.values)


def read(
    source: str, most_bytes: int = MOST_BYTES, timeout_seconds: float = TIMEOUT_SECONDS
) -> list[Column]:
    """Return the columns of a CSV or Parquet file, as training would read them.

    Raises BadTrainingData.
    """
    shown = shown_as(source)
    content = unpack(fetch(source, most_bytes, timeout_seconds), shown, most_bytes)
    table = _parquet(content, shown) if content.startswith(PARQUET) else _csv(content, shown)
    if table.empty:
        raise BadTrainingData(f"{shown} has no rows or no columns; expected a row per record")
    return [_column(table.iloc[:, place]) for place in range(table.shape[1])]


def _parquet(content: bytes, shown: str) -> pd.DataFrame:
    try:
        table: pd.DataFrame = ParquetFile(io.BytesIO(content)).read().to_pandas()
    # pyarrow's errors are ValueErrors and OSErrors, but for what it does not implement.
    except (ValueError, OSError, NotImplementedError) as error:
        raise BadTrainingData(f"{shown}: expected a Parquet table: {error}") from error
    return table.rename(columns=lambda name: csv_file.plain(str(name)))


def _csv(content: bytes, shown: str) -> pd.DataFrame:
    names = csv_file.names(content, shown)
    # A column without a name, or with the name of another, cannot be asked for.
    names = [name for name in dict.fromkeys(names) if name and names.count(name) == 1]
    texts = csv_file.read(
        content, shown, [Feature(name=name, kind="category", required=False) for name in names]
    )
    numbers = [name for name in names if _are_numbers(texts[name].dropna())]
    if not numbers:
        return texts
    # Read again as numbers, because the decimal sign may be a comma.
    found = csv_file.read(
        content, shown, [Feature(name=name, kind="number", required=False) for name in numbers]
    )
    return texts.assign(**{name: found[name] for name in numbers})


def _are_numbers(texts: "pd.Series[Any]") -> bool:
    return len(texts) > 0 and all(_A_NUMBER.fullmatch(text.strip()) for text in texts.unique())


def _column(column: "pd.Series[Any]") -> Column:
    found = column.dropna()
    kind, values = _values(found)
    try:
        distinct = tuple(sorted(set(values)))
    except TypeError:
        kind, distinct = Holds.OTHER, ()
    return Column(str(column.name), kind, values, len(column), distinct)


def _values(found: "pd.Series[Any]") -> tuple[Holds, list[Any]]:
    """Return what a column without gaps holds, and its values."""
    if not len(found):
        return Holds.OTHER, []
    if pd.api.types.is_bool_dtype(found.dtype) or {*map(type, found)} == {bool}:
        return Holds.BOOLEANS, [bool(value) for value in found]
    if pd.api.types.is_numeric_dtype(found.dtype) and found.dtype.kind != "c":
        return Holds.NUMBERS, [float(value) for value in found]
    if {*map(type, found)} == {str}:
        texts = [text.strip() for text in found]
        dates = all(_A_DATE.match(text) for text in {*texts})
        return (Holds.DATES if dates else Holds.TEXTS), texts
    if found.dtype.kind in "mM":
        return Holds.DATES, [*found]
    return Holds.OTHER, [*found]
