"""Counting in bulk, because counting one by one would cost as much as predicting does."""

import threading
from collections import deque
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Counter, Histogram

from api import limits


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
        self._waiting: deque[tuple[NDArray[np.int64], NDArray[np.float32]]] = deque()

    def note(self, labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> None:
        """Note one call of the model: labels 0 and 1, and probabilities of 1, of shape (rows,).

        Any thread may call it. The arrays must not be changed afterwards.
        """
        self._waiting.append((labels, probabilities))
        if len(labels) > limits.COUNTED_ROWS:
            self.flush()

    def flush(self) -> None:
        """Count in the metrics what was noted until now. Any thread may call it."""
        taken = []
        # One by one, because other threads append and flush meanwhile.
        with suppress(IndexError):
            while True:
                taken.append(self._waiting.popleft())
        if not taken:
            return
        rows = sum(len(labels) for labels, _ in taken)
        ones = sum(int(np.count_nonzero(labels)) for labels, _ in taken)
        self._rows.inc(rows)
        self._by_label.labels("0").inc(rows - ones)
        self._by_label.labels("1").inc(ones)
        self._probabilities.observe_all(np.concatenate([values for _, values in taken]))

    def keep_flushing(self, stop: threading.Event) -> None:
        """Flush until `stop` is set: a duty, because any process may be asked for the metrics."""
        while not stop.wait(limits.COUNT_SECONDS):
            self.flush()
