"""Counts predictions in bulk: one by one it would cost as much as the predictions do."""

import threading
from collections import deque
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Counter, Histogram

from api import limits


class BulkHistogram(Histogram):
    """prometheus_client's own, whose `observe` takes one value, and 3 us for it."""

    def observe_all(self, values: NDArray[np.floating[Any]]) -> None:
        """Values of shape (n,). One that equals a bound counts as below it, as in `observe`."""
        # In the precision of the values: the number that is shown as 0.1 must equal that bound.
        bounds = np.array(self._upper_bounds, values.dtype)
        counts = np.bincount(np.searchsorted(bounds, values), minlength=len(bounds))
        # Not strict: a value that is no number sorts behind the last bound, and is in no bucket.
        for bucket, count in zip(self._buckets, counts.tolist(), strict=False):
            if count:
                bucket.inc(count)
        self._sum.inc(float(values.sum(dtype=np.float64)))


class PredictionCounts:
    """The metrics of what is predicted, which take what was noted twice a second."""

    def __init__(self, rows: Counter, by_label: Counter, probabilities: BulkHistogram) -> None:
        self._rows = rows
        self._by_label = by_label
        self._probabilities = probabilities
        self._waiting: deque[tuple[NDArray[np.int64], NDArray[np.float32]]] = deque()

    def note(self, labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> None:
        """One call of the model: labels 0 and 1, and the probabilities of 1, of shape (rows,).

        From any thread; they must not be changed afterwards.
        """
        self._waiting.append((labels, probabilities))
        if len(labels) > limits.COUNTED_ROWS:
            self.flush()

    def flush(self) -> None:
        """Puts into the metrics what was noted until now. From any thread."""
        taken = []
        # Taken one by one, because others append and flush meanwhile.
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
        """A duty: another process may be the one that is asked for the metrics."""
        while not stop.wait(limits.COUNT_SECONDS):
            self.flush()
