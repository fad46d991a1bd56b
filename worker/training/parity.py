"""The proof that an exported model answers as the fitted pipeline does."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import onnx
import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from shared.errors import ParityBroken
from shared.schema.columns import Columns, missing_column
from shared.schema.features import FEATURES, Feature
from shared.versions.manifest import Parity
from shared.versions.onnx_model import OnnxModel

TOLERANCE = 1e-5
"""Largest allowed difference of a probability; float32 arithmetic alone gives about 1e-6."""

_MAX_THRESHOLD_ROWS = 50_000
_BLOCK_ROWS = 50_000
_EXAMPLES = 3
_UNSEEN_CATEGORY = "?"


def prove_parity(
    pipeline: Pipeline,
    exported: bytes,
    features: pd.DataFrame,
    on_block: Callable[[float], None] = lambda share: None,
) -> Parity:
    """Compare both models on every training row and on the rows where conversions go wrong.

    In those rows each optional field is missing, all optional fields are missing, a category was
    never seen, or a number equals a threshold of the trees or is its neighbour. `on_block` is
    called with the share that is done; an exception that it raises ends the proof.

    Raises:
        ParityBroken: a probability differs by more than `TOLERANCE`, or a label differs although
            its probability is further than `TOLERANCE` from one half. The message names the rows.
    """
    model = OnnxModel(exported)
    rows, labels_differ, max_difference = 0, 0, 0.0
    wrong_rows, examples = 0, list[str]()
    for share, block in _blocks(features, _thresholds(exported)):
        on_block(share)
        expected = _answers(pipeline, block)
        expected_labels = pipeline.predict(block)
        labels, probabilities = model.predict(_columns(block))
        difference = np.abs(expected - probabilities)
        differ = expected_labels != labels
        # Not `difference > TOLERANCE`, because a difference that is NaN is wrong too.
        wrong = ~(difference <= TOLERANCE) | (differ & (np.abs(expected - 0.5) > TOLERANCE))
        rows += len(block)
        labels_differ += int(differ.sum())
        max_difference = max(max_difference, float(difference.max()))
        wrong_rows += int(wrong.sum())
        examples += [
            f"{block.iloc[row].to_dict()}: scikit-learn {expected[row]:.6f}, "
            f"ONNX {probabilities[row]:.6f}"
            for row in np.flatnonzero(wrong)[: _EXAMPLES - len(examples)]
        ]
    if wrong_rows:
        raise ParityBroken(
            "expected the ONNX model to answer as the scikit-learn pipeline does; it differs on "
            f"{wrong_rows} of {rows} rows and is not published: {'; '.join(examples)}"
        )
    return Parity(
        rows=rows,
        max_difference=max_difference,
        labels_differ=labels_differ,
        tolerance=TOLERANCE,
    )


def _answers(pipeline: Pipeline, block: pd.DataFrame) -> NDArray[np.float64]:
    try:
        answers: NDArray[np.float64] = pipeline.predict_proba(block)[:, 1]
    except ValueError as error:
        raise ParityBroken(
            "the proof asks for records that clients may send, with values missing and with "
            f"categories ('?' and '') that no row of the table has, and the pipeline refused them: "
            f"{error}; impute numbers, and give OneHotEncoder handle_unknown='ignore'"
        ) from error
    return answers


def _blocks(
    features: pd.DataFrame, thresholds: NDArray[np.float32]
) -> Iterator[tuple[float, pd.DataFrame]]:
    """Yield the rows to compare in blocks, each with the share of all rows that precedes it.

    A million rows at once take 3 GB, and hold the interpreter for so long that the run's heartbeat
    stops.
    """
    beside = _beside_thresholds(features, thresholds)
    whole = len(features) + sum(map(len, beside))
    for start in range(0, len(features), _BLOCK_ROWS):
        for block in _with_gaps(features.iloc[start : start + _BLOCK_ROWS]):
            yield start / whole, block
    for block in beside:
        yield len(features) / whole, block


def _with_gaps(block: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield the rows as they are, with values missing, and with categories never seen."""
    optional = [feature for feature in FEATURES if not feature.required]
    yield block
    for feature in optional:
        yield _blank(block, [feature])
    yield _blank(block, optional)
    for feature in FEATURES:
        if feature.kind == "category":
            yield block.assign(**{feature.name: _UNSEEN_CATEGORY})


def _columns(rows: pd.DataFrame) -> Columns:
    return {name: rows[name].to_numpy().reshape(-1, 1) for name in rows.columns}


def _blank(rows: pd.DataFrame, features: Sequence[Feature]) -> pd.DataFrame:
    return rows.assign(**{f.name: missing_column(f, len(rows))[:, 0] for f in features})


def _thresholds(exported: bytes) -> NDArray[np.float32]:
    """Return all numbers that the model's trees compare a feature with, whichever feature it is."""
    found: list[float] = []
    for node in onnx.load_from_string(exported).graph.node:
        if node.op_type.startswith("TreeEnsemble"):
            attributes = {attribute.name: attribute for attribute in node.attribute}
            modes = attributes["nodes_modes"].strings
            values = attributes["nodes_values"].floats
            found += [value for value, mode in zip(values, modes, strict=True) if mode != b"LEAF"]
    return np.unique(np.array(found, np.float32))


def _beside_thresholds(
    features: pd.DataFrame, thresholds: NDArray[np.float32]
) -> list[pd.DataFrame]:
    """Return training rows with a number replaced by a threshold or a float32 neighbour of one.

    Every feature gets every threshold: the preprocessing hides which input a threshold belongs to,
    and a threshold of another input does no harm. Each value is tried on as many different rows as
    there is room for, because a row must reach the node that compares with the value.
    """
    above, below = np.float32(np.inf), np.float32(-np.inf)
    values = np.concatenate(
        [thresholds, np.nextafter(thresholds, above), np.nextafter(thresholds, below)]
    )
    numbers = [feature.name for feature in FEATURES if feature.kind == "number"]
    if not numbers or not len(values):
        return []
    room = _MAX_THRESHOLD_ROWS // len(numbers)
    values = values[:: -(-len(values) // room)]
    values = np.tile(values, room // len(values))
    rows = np.random.default_rng(0).integers(len(features), size=(len(numbers), len(values)))
    return [features.iloc[rows[i]].assign(**{name: values}) for i, name in enumerate(numbers)]
