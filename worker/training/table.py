"""Loads the training table and refuses what training cannot use, with a message to act on."""

import base64
import hashlib
import http.client
import io
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shared.errors import BadTrainingData
from shared.schema.features import FEATURES, Feature
from shared.schema.passenger import LABEL
from shared.versions.manifest import TrainingData

_FETCH_TIMEOUT_SECONDS = 30
_PARQUET_MAGIC = b"PAR1"


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
    shown = _shown(source)
    content = _fetch(source, shown)
    table = _parse(content, shown)
    wanted = [feature.name for feature in FEATURES] + [LABEL]
    missing = [name for name in wanted if name not in table.columns]
    if missing:
        raise BadTrainingData(
            f"{shown} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; "
            f"it has {', '.join(str(name) for name in table.columns[:20])}"
        )
    if table.empty:
        raise BadTrainingData(f"{shown} has a header but no rows")
    features = pd.DataFrame({f.name: _column(table[f.name], f, shown) for f in FEATURES})
    labels = _labels(table[LABEL], shown, least_per_label)
    data = TrainingData(
        source=shown,
        sha256=hashlib.sha256(content).hexdigest(),
        rows=len(labels),
        positives=int(labels.sum()),
    )
    return TrainingTable(features, labels, data)


def _fetch(source: str, shown: str) -> bytes:
    try:
        scheme = urlsplit(source).scheme
        if scheme and "://" in source and scheme not in ("http", "https"):
            raise BadTrainingData(f"{shown} cannot be fetched: only http and https URLs can")
        if scheme in ("http", "https"):
            with urllib.request.urlopen(_request(source), timeout=_FETCH_TIMEOUT_SECONDS) as answer:
                content: bytes = answer.read()
        else:
            content = Path(source).read_bytes()
    except urllib.error.HTTPError as error:
        raise BadTrainingData(
            f"{shown} could not be fetched: the server answered {error.code} {error.reason}"
        ) from error
    except http.client.InvalidURL as error:
        # Its own text repeats the URL, with whatever secret that holds.
        raise BadTrainingData(
            f"{shown} is no valid URL: its port is no number, or it holds a space or a control "
            "character. LIFEBOAT_TRAINING_DATA says where the training table is"
        ) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise BadTrainingData(
            f"{shown} could not be read: {reason}. LIFEBOAT_TRAINING_DATA says where the training "
            "table is"
        ) from error
    if not content.strip():
        raise BadTrainingData(f"{shown} is empty")
    return content


def _request(url: str) -> urllib.request.Request:
    """urllib knows no user and password in a URL."""
    parts = urlsplit(url)
    credentials, _, host = parts.netloc.rpartition("@")
    request = urllib.request.Request(urlunsplit(parts._replace(netloc=host)))
    if credentials:
        token = base64.b64encode(unquote(credentials).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {token}")
    return request


def _parse(content: bytes, shown: str) -> pd.DataFrame:
    try:
        if content.startswith(_PARQUET_MAGIC):
            return pd.read_parquet(io.BytesIO(content))
        return pd.read_csv(io.BytesIO(content), low_memory=False)
    # pyarrow's errors are ValueErrors and OSErrors, pandas's parser errors ValueErrors.
    except (ValueError, OSError) as error:
        raise BadTrainingData(f"{shown} is neither a CSV nor a Parquet table: {error}") from error


def _column(column: "pd.Series[Any]", feature: Feature, shown: str) -> Any:
    where = f"{shown}, column {feature.name}"
    absent = column.isna()
    if feature.required and absent.any():
        raise BadTrainingData(f"{where}: {_row(absent)} has no value, and it is required")
    if feature.kind == "category":
        values = column.astype(object).where(~absent, "")
        _refuse(~absent & ~values.isin(feature.categories), values, where, feature.expected)
        return values.astype(str).astype(object)
    numbers = _numbers(column, where)
    wrong = ~absent & ~np.isfinite(numbers)
    if feature.minimum is not None:
        wrong |= numbers < feature.minimum
    if feature.maximum is not None:
        wrong |= numbers > feature.maximum
    if feature.whole:
        wrong |= ~absent & (numbers % 1 != 0)
    _refuse(wrong, column, where, feature.expected)
    return numbers.astype(np.float32)


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
    # Beside a gap they come as objects, which to_numeric would take for 1 and 0.
    if column.dtype in (bool, object) and any(isinstance(v, bool | np.bool_) for v in column):
        raise BadTrainingData(f"{where}: true and false are no numbers; write 1 and 0")
    numbers = pd.to_numeric(column, errors="coerce")
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


def _shown(source: str) -> str:
    """The source as it may be shown: a URL may carry a password, or a token in its query."""
    try:
        parts = urlsplit(source)
    except ValueError as error:
        raise BadTrainingData(f"LIFEBOAT_TRAINING_DATA is no path and no URL: {error}") from error
    if not parts.netloc:
        return source
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host, query="", fragment=""))
