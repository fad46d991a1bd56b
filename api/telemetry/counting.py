"""Counting in bulk, because counting one by one would cost as much as predicting does."""

import os
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Counter, Histogram

from api import limits
from api.telemetry import process_files
from api.telemetry.values import ValueCounts, Values
from shared.schema.schema import Kind, Schema
from shared.versions.onnx_model import Answer


class BulkHistogram(Histogram):
    """A histogram that takes many values at once; `observe` takes one value, in 3 us."""

    def observe_all(self, values: NDArray[np.floating[Any]]) -> None:
        """Count values of shape (n,). As in `observe`, a value on a bound counts as below it."""
        # In the precision of the values: a value that is shown as 0.1 must equal the bound 0.1.
        bounds = np.array(self._upper_bounds, values.dtype)
        counts = np.bincount(np.searchsorted(bounds, values), minlength=len(bounds))
        # Not strict: NaN sorts behind the last bound, and is in no bucket.
        for bucket, count in zip(self._buckets, counts.tolist(), strict=False):
            if count:
                bucket.inc(count)
        self._sum.inc(float(values.sum(dtype=np.float64)))


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Where the answers of one loaded version are counted; all its series are there already."""

    by_class: tuple[Counter, ...] = ()
    """For each class the counter of its label."""
    positive: int | None = None
    """Of two labels, the place of the one whose probability is counted."""
    values: ValueCounts | None = None
    """Of a regression, the counts of its numbers."""


class PredictionCounts:
    """Counts what is predicted: notes each call of the model, and fills the metrics later."""

    def __init__(self, rows: Counter, by_label: Counter, probabilities: BulkHistogram) -> None:
        self._rows = rows
        self._by_label = by_label
        self._probabilities = probabilities
        self._labels: set[str] = set()
        self._waiting: deque[tuple[Tally, Answer]] = deque()
        self.values = Values()

    def tally(self, schema: Schema, quantiles: Sequence[float] | None) -> Tally:
        """Return where to count the answers of a version; `quantiles` are its training target's.

        The watcher's thread calls it at each load.
        """
        if schema.kind is Kind.REGRESSION:
            return Tally(values=self.values.begin(schema.target, quantiles or ()))
        # By place: two labels that share the counter `other` are two classes all the same.
        by_class = tuple(
            self._by_label.labels(self._label(str(label), place))
            for place, label in enumerate(schema.classes)
        )
        binary = schema.kind is Kind.BINARY
        return Tally(by_class, schema.positive_index if binary else None)

    def _label(self, label: str, place: int) -> str:
        """Return the label's own series, or `other` if there are too many already."""
        if label not in self._labels:
            if place >= limits.COUNTED_CLASSES or len(self._labels) >= limits.COUNTED_LABELS:
                return "other"
            self._labels.add(label)
        return label

    def note(self, tally: Tally, answer: Answer) -> None:
        """Note one call of a model; the arrays must not change afterwards. For any thread."""
        self._waiting.append((tally, answer))
        if len(_first(answer)) > limits.COUNTED_ROWS:
            self.flush()

    def flush(self) -> None:
        """Count in the metrics what was noted until now. Any thread may call it."""
        taken: list[tuple[Tally, Answer]] = []
        # One by one, because other threads append and flush meanwhile.
        with suppress(IndexError):
            while True:
                taken.append(self._waiting.popleft())
        for _, noted in groupby(taken, lambda each: id(each[0])):
            together = list(noted)
            self._count(together[0][0], [answer for _, answer in together])

    def _count(self, tally: Tally, answers: list[Answer]) -> None:
        self._rows.inc(sum(len(_first(answer)) for answer in answers))
        if tally.values is not None:
            numbers = [answer.values for answer in answers if answer.values is not None]
            self.values.count(tally.values, np.concatenate(numbers))
            return
        codes = np.concatenate([each.codes for each in answers if each.codes is not None])
        counts = np.bincount(codes, minlength=len(tally.by_class))
        for counter, count in zip(tally.by_class, counts.tolist(), strict=True):
            if count:
                counter.inc(count)
        chances = [each.probabilities for each in answers if each.probabilities is not None]
        if tally.positive is not None:
            given = np.concatenate([each[:, tally.positive] for each in chances])
        else:
            given = np.concatenate(chances)[np.arange(len(codes)), codes]
        self._probabilities.observe_all(given)

    def save(self) -> None:
        """Count what was noted, and write what other processes of this host are to read."""
        self.flush()
        shared = process_files.folder()
        if shared is not None:
            self.values.save(shared, os.getpid())


def _first(answer: Answer) -> NDArray[Any]:
    found = answer.values if answer.codes is None else answer.codes
    assert found is not None
    return found
