"""The training table: reads it and checks each value that a model learns from."""

import hashlib
import io
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
from worker.training import target as targets
from worker.training.reading import csv_file
from worker.training.reading.columns import column_of
from worker.training.reading.packing import PARQUET, too_large, unpack
from worker.training.source import MOST_BYTES, TIMEOUT_SECONDS, fetch, shown_as


@dataclass(frozen=True)
class TrainingTable:
    """A checked training table, and where it came from."""

    features: pd.DataFrame
    """A column per feature: float32 with NaN for missing numbers, strings with "" for missing
    categories."""
    target: NDArray[Any]
    """Of shape (rows,): the labels as they are declared (strings are objects, numbers int64), or
    float64 for a regression."""
    data: TrainingData


def load(
    source: str,
    schema: Schema,
    *,
    folds: int,
    number: Feature | None = None,
    frame: Callable[[str], pd.DataFrame] | None = None,
    most_bytes: int = MOST_BYTES,
    timeout_seconds: float = TIMEOUT_SECONDS,
    checkpoint: Callable[[], None] = lambda: None,
    endpoint: str | None = None,
) -> TrainingTable:
    """Read and check a CSV or Parquet file from wherever `fetch` reads; ignore other columns.

    `number` says which numbers are sound as the target of a regression. `frame` is a definition's
    own function, which gives the table of a source instead. `checkpoint` is called again and again
    meanwhile; what it raises ends the reading.

    Raises:
        BadTrainingData: the file cannot be read, a column is missing, a value is one that a record
            cannot have, or there are too few rows for a cross-validation of so many folds.
        DefinitionBroken: `frame` does not give a table.
    """
    feature = targets.as_feature(schema, number)
    wanted = [*schema.features, feature]
    if frame is None:
        shown = shown_as(source)
        content = fetch(source, most_bytes, timeout_seconds, checkpoint, endpoint)
        digest = hashlib.sha256(content).hexdigest()
        content = unpack(content, shown, most_bytes)
        table = parse(content, shown, wanted, most_bytes, checkpoint)
        del content
    else:
        shown = f"load({shown_as(source)!r})" if source else "load() of model.py"
        table = _chosen(frame(source), wanted, shown)
        digest = ""
    if table.empty:
        raise BadTrainingData(f"{shown} has a header but no rows; expected a row per record")
    features = features_of(table, shown, schema.features)
    target = targets.target_of(table[feature.name], schema, feature, shown)
    targets.check_enough(target, schema, shown, folds)
    data = TrainingData(
        source=shown,
        sha256=digest or _digest(features, target),
        rows=len(target),
        **targets.summary(target, schema),
    )
    return TrainingTable(features, target, data)


def features_of(table: pd.DataFrame, shown: str, features: Sequence[Feature]) -> pd.DataFrame:
    """Return a checked column per feature, as the model takes it. Raises BadTrainingData."""
    columns = {f.name: column_of(table[f.name], f, shown).to_numpy() for f in features}
    # With its type: pandas would make a type of its own of objects that are text.
    return pd.DataFrame(
        {f.name: pd.Series(columns[f.name].astype(f.dtype), dtype=f.dtype) for f in features}
    )


def parse(
    content: bytes,
    shown: str,
    features: Sequence[Feature],
    most_bytes: int = MOST_BYTES,
    checkpoint: Callable[[], None] = lambda: None,
) -> pd.DataFrame:
    """Return the columns of the features of a CSV or Parquet file. Raises BadTrainingData."""
    if content.startswith(PARQUET):
        return _parquet(content, shown, [feature.name for feature in features], most_bytes)
    return csv_file.read(content, shown, features, checkpoint)


def _parquet(content: bytes, shown: str, wanted: Sequence[str], most_bytes: int) -> pd.DataFrame:
    try:
        file = ParquetFile(io.BytesIO(content))
        header = [csv_file.plain(name) for name in file.schema_arrow.names]
        places = _places(header, file.schema_arrow.names, wanted, shown)
        # A column of one value is a few bytes, however many rows it has.
        if file.metadata.num_rows * len(wanted) * 8 > most_bytes:
            raise too_large(shown, most_bytes, " when unpacked")
        names = [file.schema_arrow.names[place] for place in places]
        table: pd.DataFrame = file.read(columns=names).to_pandas(ignore_metadata=True)
    # pyarrow's errors are ValueErrors and OSErrors, but for what it does not implement.
    except (ValueError, OSError, NotImplementedError) as error:
        raise BadTrainingData(
            f"{shown}: expected a CSV or a Parquet table, got neither: {error}"
        ) from error
    return table[names].set_axis([*wanted], axis=1)


def _chosen(table: pd.DataFrame, features: Sequence[Feature], shown: str) -> pd.DataFrame:
    """Return the columns of the features of a data frame. Raises BadTrainingData."""
    wanted = [feature.name for feature in features]
    names = [str(name) for name in table.columns]
    places = _places([csv_file.plain(name) for name in names], names, wanted, shown)
    return table.iloc[:, places].set_axis(wanted, axis=1).reset_index(drop=True)


def _places(
    header: Sequence[str], names: Sequence[str], wanted: Sequence[str], shown: str
) -> list[int]:
    """Return where the wanted columns are."""
    places = {name: csv_file.place(header, name, shown) for name in wanted}
    if missing := [name for name in wanted if places[name] < 0]:
        raise csv_file.lacking(names, missing, shown)
    return [places[name] for name in wanted]


def _digest(features: pd.DataFrame, target: NDArray[Any]) -> str:
    """Return the SHA-256 of checked columns, which is the same for the same table."""
    digest = hashlib.sha256()
    columns = [(str(name), features[name].to_numpy()) for name in features]
    for name, values in [*columns, ("", target)]:
        digest.update(f"{len(name)}:{name}{values.dtype}".encode())
        if values.dtype == object:
            for text in values:
                digest.update(f"{len(text)}:{text}".encode(errors="surrogatepass"))
        else:
            # NaN has many forms.
            sound = (
                np.where(np.isnan(values), np.nan, values) if values.dtype.kind == "f" else values
            )
            digest.update(np.ascontiguousarray(sound).tobytes())
    return digest.hexdigest()
