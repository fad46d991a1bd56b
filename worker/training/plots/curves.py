"""Points of the curves that classifiers are shown by."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from worker.training.plots.card import POINTS, thinned

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Its x and its y."""


def roc_points(is_it: NDArray[np.int64], scores: NDArray[np.float64], most: int = POINTS) -> Curve:
    """Return the false and the true positive rates."""
    false_rate, true_rate, _ = roc_curve(is_it, scores)
    kept = thinned(false_rate + true_rate, most)
    return false_rate[kept], true_rate[kept]


def precision_recall_points(is_it: NDArray[np.int64], scores: NDArray[np.float64]) -> Curve:
    """Return recall, falling, and precision."""
    precision, recall, _ = precision_recall_curve(is_it, scores, drop_intermediate=True)
    # From the threshold that finds no row to the threshold that finds all: recall rises, as
    # `thinned` needs it.
    precision, recall = precision[::-1], recall[::-1]
    kept = thinned(recall, POINTS)
    return recall[kept][::-1], precision[kept][::-1]
