"""The target of a training table: labels as they are declared, or the numbers of a regression."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shared.errors import BadTrainingData
from shared.schema.features import Feature
from shared.schema.schema import Kind, Label, Schema
from worker.training.reading.columns import column_of, numbers, refuse

_LISTED = 10
"""Labels that an error message lists."""
_TRUE, _FALSE = ("true", "1", "1.0"), ("false", "0", "0.0")
_BOOLEANS = tuple(
    spelling
    for word in _TRUE + _FALSE
    for spelling in dict.fromkeys([word, word.title(), word.upper()])
)
_QUANTILES = np.linspace(0, 1, 11)


def as_feature(schema: Schema, number: Feature | None = None) -> Feature:
    """Return the target as a file is read: which column, and whether it is text.

    `number` says which numbers of a regression are sound; any, if it is None.
    """
    if schema.kind is Kind.REGRESSION:
        return number or Feature(name=schema.target, kind="number", required=True)
    label = schema.classes[0]
    if isinstance(label, str):
        texts = tuple(str(label) for label in schema.classes)
    elif isinstance(label, bool):
        texts = _BOOLEANS
    else:
        return Feature(name=schema.target, kind="number", required=True, whole=True)
    return Feature(name=schema.target, kind="category", required=True, categories=texts)


def target_of(
    column: "pd.Series[Any]", schema: Schema, feature: Feature, shown: str
) -> NDArray[Any]:
    """Return the checked target: strings (objects), int64, bool, or float64 for a regression.

    Raises BadTrainingData for a value that is missing, or that the record does not declare.
    """
    if schema.kind is Kind.REGRESSION:
        values: NDArray[Any] = column_of(column, feature, shown).to_numpy(np.float64)
        return values
    expected = listed(schema.classes)
    refuse(column.isna(), column, shown, f"a label, {expected}", found="no value")
    label = schema.classes[0]
    if isinstance(label, str):
        texts = column.astype(object)
        known = {*schema.classes}
        wrong = ~texts.map(lambda value: isinstance(value, str) and value in known).astype(bool)
        refuse(wrong, column, shown, expected, expects_text=True)
        return texts.to_numpy(object)
    if isinstance(label, bool):
        words = column.astype(object).map(lambda value: str(value).strip().lower())
        refuse(~words.isin(_TRUE + _FALSE), column, shown, "true or false (or 1 or 0)")
        return words.isin(_TRUE).to_numpy(np.bool_)
    found = numbers(column, shown)
    refuse(~found.isin(schema.classes), column, shown, expected)
    return found.to_numpy().astype(np.int64)


def codes(target: NDArray[Any], schema: Schema) -> NDArray[np.int64]:
    """Return the place of each label among the schema's classes."""
    place = {label: code for code, label in enumerate(schema.classes)}
    return np.fromiter((place[label] for label in target.tolist()), np.int64, len(target))


def check_enough(target: NDArray[Any], schema: Schema, shown: str, folds: int) -> None:
    """Raise BadTrainingData if a cross-validation of so many folds has too little to score."""
    where = f"{shown}, column {schema.target}"
    if schema.kind is Kind.REGRESSION:
        # R² of one row is not defined.
        least = 2 * folds
        if len(target) < least:
            raise BadTrainingData(
                f"{where}: expected at least {least} rows, for {folds}-fold cross-validation; got "
                f"{len(target)}"
            )
        if target.min() == target.max():
            raise BadTrainingData(
                f"{where}: expected a target that varies, got {target[0]:.10g} in each of "
                f"{len(target)} rows"
            )
        return
    counts = Counter(target.tolist())
    for label in schema.classes:
        if (count := counts[label]) < folds:
            raise BadTrainingData(
                f"{where}: expected at least {folds} rows of each label, for {folds}-fold "
                f"cross-validation; got {count or 'no'} row{'s' * (count != 1)} with label "
                f"{label!r} among {len(target)}"
            )


def summary(target: NDArray[Any], schema: Schema) -> dict[str, Any]:
    """Return what the manifest tells of the target, as `TrainingData` has it."""
    if schema.kind is Kind.REGRESSION:
        return {"quantiles": [float(number) for number in np.quantile(target, _QUANTILES)]}
    counts = Counter(target.tolist())
    if schema.kind is Kind.BINARY:
        return {"positives": counts[schema.positive]}
    return {"labels": {str(label): counts[label] for label in schema.classes}}


def listed(labels: Sequence[Label]) -> str:
    """Return labels in words: `0 or 1`."""
    texts = [repr(label) for label in labels[:_LISTED]]
    if more := len(labels) - len(texts):
        return f"{', '.join(texts)} or one of {more} others"
    return f"{', '.join(texts[:-1])} or {texts[-1]}"
