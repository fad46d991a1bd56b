"""How far the answers of two models are apart, and how far they may be."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shared.versions.onnx_model import Answer

TOLERANCE = 1e-5
"""Largest allowed difference of a probability, and of a number over its scale; float32 arithmetic
alone gives about 1e-6."""

_EXAMPLES = 3

Rows = NDArray[np.bool_]
"""Something that is true or false of each row."""


@dataclass
class Comparison:
    """What has been compared so far."""

    rows: int = 0
    wrong: int = 0
    labels_differ: int = 0
    max_difference: float = 0.0
    examples: list[str] = field(default_factory=list)

    def expected(self, fitted: Any, block: pd.DataFrame) -> Answer:
        """Return what the fitted model answers."""
        raise NotImplementedError

    def differ(self, expected: Answer, found: Answer) -> tuple[NDArray[np.float64], Rows]:
        """Return each row's difference, and whether it is too large."""
        raise NotImplementedError

    def words(self, expected: Answer, found: Answer, row: int) -> str:
        """Return both models' answers to a row."""
        raise NotImplementedError

    def is_finite(self, expected: Answer) -> Rows:
        """Return for each row whether the fitted model answers with a number."""
        raise NotImplementedError

    def add(self, expected: Answer, found: Answer, block: pd.DataFrame, sound: Rows) -> None:
        """Count a block. A row that no client may send need not have an answer."""
        difference, wrong = self.differ(expected, found)
        wrong = wrong & (sound | self.is_finite(expected))
        self.rows += len(block)
        self.wrong += int(wrong.sum())
        finite = difference[np.isfinite(difference)]
        self.max_difference = max(self.max_difference, float(finite.max(initial=0.0)))
        self.examples += [
            f"{block.iloc[row].to_dict()}: {self.words(expected, found, row)}"
            for row in np.flatnonzero(wrong)[: _EXAMPLES - len(self.examples)]
        ]


class Labels(Comparison):
    """Of classifiers: the probability of each class, and the label."""

    def __init__(self, classes: Sequence[Any]) -> None:
        super().__init__()
        self._classes = classes

    def expected(self, fitted: Any, block: pd.DataFrame) -> Answer:
        probabilities = fitted.predict_proba(block)
        codes = np.searchsorted(np.asarray(self._classes), fitted.predict(block))
        return Answer(codes=codes, probabilities=probabilities)

    def differ(self, expected: Answer, found: Answer) -> tuple[NDArray[np.float64], Rows]:
        codes, probabilities = _both(expected)
        other_codes, other_probabilities = _both(found)
        difference = np.abs(probabilities - other_probabilities).max(axis=1)
        differ = codes != other_codes
        self.labels_differ += int(differ.sum())
        rows, last = np.arange(len(codes)), len(self._classes) - 1
        # Each of the two may have moved by the tolerance.
        other = probabilities[rows, np.clip(other_codes, 0, last)]
        apart = np.abs(probabilities[rows, np.clip(codes, 0, last)] - other) > 2 * TOLERANCE
        # Not `difference > TOLERANCE`, because a difference that is NaN is wrong too.
        unknown = (other_codes < 0) | (other_codes > last)
        wrong: Rows = ~(difference <= TOLERANCE) | (differ & apart) | unknown
        return difference, wrong

    def words(self, expected: Answer, found: Answer, row: int) -> str:
        (codes, left), (other_codes, right) = _both(expected), _both(found)
        worst = int(np.abs(left[row] - right[row]).argmax())
        place = 1 if len(self._classes) == 2 else worst
        said = f"scikit-learn {left[row, place]:.6f}, ONNX {right[row, place]:.6f}"
        if codes[row] != other_codes[row]:
            said += " with another label"
        return f"{said} for {self._classes[place]!r}"

    def is_finite(self, expected: Answer) -> Rows:
        finite: Rows = np.asarray(np.isfinite(_both(expected)[1]).all(axis=1))
        return finite


class Numbers(Comparison):
    """Of regressors: a number, by the scale of the target."""

    def __init__(self, spread: float) -> None:
        super().__init__()
        self._spread = spread

    def expected(self, fitted: Any, block: pd.DataFrame) -> Answer:
        return Answer(values=np.asarray(fitted.predict(block)).ravel())

    def differ(self, expected: Answer, found: Answer) -> tuple[NDArray[np.float64], Rows]:
        left, right = _values(expected), _values(found)
        smallest = float(np.finfo(np.float64).tiny)
        difference = np.abs(left - right) / np.maximum(np.abs(left), max(self._spread, smallest))
        wrong: Rows = ~(difference <= TOLERANCE)
        return difference, wrong

    def words(self, expected: Answer, found: Answer, row: int) -> str:
        return f"scikit-learn {_values(expected)[row]:.9g}, ONNX {_values(found)[row]:.9g}"

    def is_finite(self, expected: Answer) -> Rows:
        finite: Rows = np.isfinite(_values(expected))
        return finite


def _both(answer: Answer) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    assert answer.codes is not None and answer.probabilities is not None
    return answer.codes, answer.probabilities.astype(np.float64)


def _values(answer: Answer) -> NDArray[np.float64]:
    assert answer.values is not None
    return answer.values.astype(np.float64)
