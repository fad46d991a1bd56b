"""Counts what is predicted, in bulk: one by one it would cost as much as the predictions do."""

import threading
from collections import deque
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from api.telemetry import metrics

_FLUSH_SECONDS = 0.5
"""A process that is killed loses the count of so much time."""
_MOST_ROWS = 1000
"""A call with more is counted at once, so that what waits stays small."""

_waiting: deque[tuple[NDArray[np.int64], NDArray[np.float32]]] = deque()


def note(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> None:
    """One call of the model: labels 0 and 1, and the probabilities of 1, of shape (rows,).

    From any thread; they must not be changed afterwards.
    """
    _waiting.append((labels, probabilities))
    if len(labels) > _MOST_ROWS:
        flush()


def flush() -> None:
    """Puts into the metrics what was noted until now. From any thread."""
    taken = []
    # Taken one by one, because others append and flush meanwhile.
    with suppress(IndexError):
        while True:
            taken.append(_waiting.popleft())
    if not taken:
        return
    rows = sum(len(labels) for labels, _ in taken)
    ones = sum(int(np.count_nonzero(labels)) for labels, _ in taken)
    metrics.PREDICTED_ROWS.inc(rows)
    metrics.PREDICTIONS.labels("0").inc(rows - ones)
    metrics.PREDICTIONS.labels("1").inc(ones)
    metrics.PROBABILITIES.observe_all(np.concatenate([values for _, values in taken]))


def keep_flushing(stop: threading.Event) -> None:
    """A duty: another process may be the one that is asked for the metrics."""
    while not stop.wait(_FLUSH_SECONDS):
        flush()
