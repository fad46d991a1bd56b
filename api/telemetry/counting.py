"""Counting in bulk, because counting one by one would cost as much as predicting does."""

import threading
from collections import deque
from contextlib import suppress
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Counter, Histogram

from api import limits
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


class PredictionCounts:
    """Counts what is predicted: notes each call of the model, and fills the metrics later."""

    def __init__(self, rows: Counter, by_label: Counter, probabilities: BulkHistogram) -> None:
        self._rows = rows
        self._by_label = by_label
        self._probabilities = probabilities
        self._waiting: deque[tuple[Schema, Answer]] = deque()

    def note(self, schema: Schema, answer: Answer) -> None:
        """Note one call of a model; the arrays must not change afterwards. For any thread."""
        self._waiting.append((schema, answer))
        if len(_first(answer)) > limits.COUNTED_ROWS:
            self.flush()

    def flush(self) -> None:
        """Count in the metrics what was noted until now. Any thread may call it."""
        taken: list[tuple[Schema, Answer]] = []
        # One by one, because other threads append and flush meanwhile.
        with suppress(IndexError):
            while True:
                taken.append(self._waiting.popleft())
        for schema, answers in groupby(taken, lambda noted: noted[0]):
            self._count(schema, [answer for _, answer in answers])

    def _count(self, schema: Schema, answers: list[Answer]) -> None:
        self._rows.inc(sum(len(_first(answer)) for answer in answers))
        codes = [answer.codes for answer in answers if answer.codes is not None]
        chances = [answer.probabilities for answer in answers if answer.probabilities is not None]
        if not codes:
            return
        counts = np.bincount(np.concatenate(codes), minlength=len(schema.classes))
        for label, count in zip(schema.classes, counts.tolist(), strict=True):
            if count:
                self._by_label.labels(str(label)).inc(count)
        if schema.kind is Kind.BINARY:
            place = schema.positive_index
            self._probabilities.observe_all(np.concatenate([each[:, place] for each in chances]))

    def keep_flushing(self, stop: threading.Event) -> None:
        """Flush until `stop` is set: a duty, because any process may be asked for the metrics."""
        while not stop.wait(limits.COUNT_SECONDS):
            self.flush()


def _first(answer: Answer) -> NDArray[Any]:
    found = answer.values if answer.codes is None else answer.codes
    assert found is not None
    return found
