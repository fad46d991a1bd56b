"""The proof that an exported model answers as the fitted model does."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import onnx
import pandas as pd
from numpy.typing import NDArray
from onnx import numpy_helper

from shared.errors import ParityBroken
from shared.schema.columns import Columns, missing_column
from shared.schema.features import Feature
from shared.schema.schema import Kind, Schema
from shared.versions.manifest import Parity
from shared.versions.onnx_model import OnnxModel
from worker.training.comparison import TOLERANCE, Comparison, Labels, Numbers, Rows
from worker.training.converters.advice import suspects

_MAX_THRESHOLD_ROWS = 50_000
_MAX_VARIED_VALUES = 7_000_000
"""Rows of a large or wide table are taken at even distances for the blocks in which a field is
changed, so that these blocks have about so many values: of seven fields, a million rows."""
_BLOCK_VALUES = 350_000
"""Values that are compared at once: of seven fields, 50,000 rows."""
_UNSEEN_CATEGORY = "?"


def prove_parity(
    fitted: Any,
    exported: bytes,
    schema: Schema,
    features: pd.DataFrame,
    spread: float | None = None,
    on_block: Callable[[float], None] = lambda share: None,
) -> Parity:
    """Compare both models on every training row and on the rows where conversions go wrong.

    In those rows each optional field is missing, all optional fields are missing, a category is
    each of the declared ones or was never seen, or a number equals a threshold of the trees or is
    its neighbour. `spread` is the standard deviation of a regression's target. `on_block` is called
    with the share that is done; an exception that it raises ends the proof.

    Raises:
        ParityBroken: a probability differs by more than `TOLERANCE`; a label differs although the
            probabilities of both are further apart; or a number differs by more than `TOLERANCE`
            of itself and of `spread`, whichever is larger. The message names the rows.
    """
    try:
        model = OnnxModel(exported, schema)
    except ValueError as error:
        raise ParityBroken(_with_advice(str(error), fitted)) from error
    compare: Comparison = (
        Numbers(spread or 0.0) if schema.kind is Kind.REGRESSION else Labels(schema.classes)
    )
    for share, block, sound in _blocks(features, schema.features, _thresholds(exported)):
        on_block(share)
        _compare_block(fitted, model, block, sound, compare)
    if compare.wrong:
        reason = (
            "expected the ONNX model to answer as the scikit-learn pipeline does; it differs on "
            f"{compare.wrong} of {compare.rows} rows and is not published: "
        )
        raise ParityBroken(_with_advice(reason + "; ".join(compare.examples), fitted))
    return Parity(
        rows=compare.rows,
        max_difference=compare.max_difference,
        labels_differ=compare.labels_differ,
        tolerance=TOLERANCE,
        scale=spread,
    )


def _with_advice(reason: str, fitted: Any) -> str:
    return ". ".join([reason, *suspects(fitted)])


def _compare_block(
    fitted: Any, model: OnnxModel, block: pd.DataFrame, sound: Rows, compare: Comparison
) -> None:
    try:
        expected = compare.expected(fitted, block)
    # Whatever a step of the model raises.
    except Exception as error:
        if not sound.all():
            # The values that stand beside a threshold are not all values that a client may send.
            if sound.any():
                _compare_block(fitted, model, block[sound], sound[sound], compare)
            return
        raise ParityBroken(
            "the proof asks for records that clients may send, with values missing and with "
            f"categories ('?' and '') that no row of the table has, and the pipeline refused them: "
            f"{error}; impute numbers, and give OneHotEncoder handle_unknown='ignore'"
        ) from error
    try:
        found = model.predict(_columns(block))
    except Exception as error:
        said = " ".join(str(error).split())
        reason = f"the ONNX model refused rows that the scikit-learn pipeline answers: {said}"
        raise ParityBroken(_with_advice(reason, fitted)) from error
    compare.add(expected, found, block, sound)


def _blocks(
    features: pd.DataFrame, known: Sequence[Feature], thresholds: NDArray[np.float32]
) -> Iterator[tuple[float, pd.DataFrame, Rows]]:
    """Yield the rows to compare in blocks, each with the share of all rows that precedes it.

    Also yields for each row whether a client may send it. A million rows at once take 3 GB, and
    hold the interpreter for so long that the run's heartbeat stops.
    """
    rows = max(1, _BLOCK_VALUES // len(known))
    beside = _beside_thresholds(features, known, thresholds)
    whole = len(features) + sum(len(block) for block, _ in beside)
    for start in range(0, len(features), rows):
        block = features.iloc[start : start + rows]
        varied = _varied(block, known, len(features))
        for joined, sound in _joined(((part, _all_sound(part)) for part in varied), rows):
            yield start / whole, joined, sound
    for joined, sound in _joined(beside, rows):
        yield len(features) / whole, joined, sound


def _joined(
    parts: Iterable[tuple[pd.DataFrame, Rows]], rows: int
) -> Iterator[tuple[pd.DataFrame, Rows]]:
    """Yield the parts in blocks of about so many rows: each block takes a time of its own."""
    waiting: list[tuple[pd.DataFrame, Rows]] = []
    for part in parts:
        waiting.append(part)
        if sum(len(block) for block, _ in waiting) >= rows:
            yield _one(waiting)
            waiting = []
    if waiting:
        yield _one(waiting)


def _one(parts: Sequence[tuple[pd.DataFrame, Rows]]) -> tuple[pd.DataFrame, Rows]:
    return pd.concat([block for block, _ in parts]), np.concatenate([sound for _, sound in parts])


def _all_sound(block: pd.DataFrame) -> Rows:
    return np.ones(len(block), np.bool_)


def _varied(block: pd.DataFrame, known: Sequence[Feature], rows: int) -> Iterator[pd.DataFrame]:
    """Yield the rows as they are, with values missing, and with each category."""
    yield block
    optional = [feature for feature in known if not feature.required]
    changes = [_missing([feature]) for feature in optional] + [_missing(optional)] * bool(optional)
    for feature in known:
        if feature.kind == "category":
            changes += [{feature.name: value} for value in (*feature.categories, _unseen(feature))]
    step = max(1, -(-rows * len(known) * len(changes) // _MAX_VARIED_VALUES))
    some = block.iloc[::step]
    for changed in changes:
        yield some.assign(
            **{name: np.full(len(some), *_filled(value)) for name, value in changed.items()}
        )


def _missing(features: Sequence[Feature]) -> dict[str, Any]:
    return {feature.name: missing_column(feature, 1)[0, 0] for feature in features}


def _filled(value: Any) -> tuple[Any, type]:
    return (value, object) if isinstance(value, str) else (value, np.float32)


def _unseen(feature: Feature) -> str:
    unseen = _UNSEEN_CATEGORY
    while unseen in feature.categories:
        unseen += _UNSEEN_CATEGORY
    return unseen


def _columns(rows: pd.DataFrame) -> Columns:
    return {name: rows[name].to_numpy().reshape(-1, 1) for name in rows.columns}


def _thresholds(exported: bytes) -> NDArray[np.float32]:
    """Return all numbers that the model's trees compare a feature with, whichever feature it is."""
    found: list[float] = []
    for node in onnx.load_from_string(exported).graph.node:
        if node.op_type.startswith("TreeEnsemble"):
            attributes = {attribute.name: attribute for attribute in node.attribute}
            modes = attributes["nodes_modes"].strings
            if "nodes_values" in attributes:
                values = list(attributes["nodes_values"].floats)
            else:
                values = numpy_helper.to_array(attributes["nodes_values_as_tensor"].t).tolist()
            found += [value for value, mode in zip(values, modes, strict=True) if mode != b"LEAF"]
    thresholds = np.unique(np.array(found, np.float32))
    return thresholds[np.isfinite(thresholds)]


def _beside_thresholds(
    features: pd.DataFrame, known: Sequence[Feature], thresholds: NDArray[np.float32]
) -> list[tuple[pd.DataFrame, Rows]]:
    """Return training rows with a number replaced by a threshold or a float32 neighbour of one.

    Every feature gets every threshold: the preprocessing hides which input a threshold belongs to,
    and a threshold of another input does no harm. Each value is tried on as many different rows as
    there is room for, because a row must reach the node that compares with the value.
    """
    above, below = np.float32(np.inf), np.float32(-np.inf)
    values = np.concatenate(
        [thresholds, np.nextafter(thresholds, above), np.nextafter(thresholds, below)]
    )
    values = values[np.isfinite(values)]
    numbers = [feature for feature in known if feature.kind == "number"]
    if not numbers or not len(values):
        return []
    room = max(1, _MAX_THRESHOLD_ROWS // len(numbers))
    values = values[:: -(-len(values) // room)]
    values = np.tile(values, room // len(values))
    rows = np.random.default_rng(0).integers(len(features), size=(len(numbers), len(values)))
    return [
        (
            features.iloc[rows[i]].assign(**{feature.name: values}),
            feature.sound(values.astype(np.float64)),
        )
        for i, feature in enumerate(numbers)
    ]
