"""The plots of a classifier of three labels or more: each label against the others."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from worker.training.evaluation import Evaluation
from worker.training.plots.card import CLASS_STYLES, MUTED, label, shortened
from worker.training.plots.curves import Curve, precision_recall_points, roc_points

_LONGEST_NAME = 18
_Points = Callable[[NDArray[np.int64], NDArray[np.float64]], Curve]
_Area = Callable[[NDArray[np.int64], NDArray[np.float64]], float]


def roc(axes: Axes, evaluation: Evaluation) -> None:
    axes.plot([0, 1], [0, 1], color=MUTED, linestyle=":", linewidth=1)
    _curves(axes, evaluation, roc_points, roc_auc_score, "AUC")
    label(axes, "False positive rate", "True positive rate")
    axes.legend(loc="lower right")


def precision_recall(axes: Axes, evaluation: Evaluation) -> None:
    _curves(axes, evaluation, precision_recall_points, average_precision_score, "AP")
    label(axes, "Recall", "Precision")
    axes.legend(loc="lower left")


def commonest(codes: NDArray[np.int64], labels: Sequence[object], most: int) -> list[int]:
    """Return the codes of at most `most` labels, those with most rows, in their own order."""
    counts = np.bincount(codes, minlength=len(labels))
    return sorted(np.argsort(-counts, kind="stable")[:most].tolist())


def _curves(axes: Axes, evaluation: Evaluation, points: _Points, area: _Area, title: str) -> None:
    """Draw a curve for each of the commonest labels."""
    labels = evaluation.labels
    drawn = commonest(evaluation.actual, labels, len(CLASS_STYLES))
    for code, (colour, dash) in zip(drawn, CLASS_STYLES, strict=False):
        is_it = (evaluation.actual == code).astype(np.int64)
        scores = evaluation.probabilities[:, code]
        axes.plot(
            *points(is_it, scores),
            color=colour,
            linestyle=dash,
            linewidth=1.8,
            drawstyle="steps-post" if title == "AP" else "default",
            label=f"{shortened(labels[code], _LONGEST_NAME)}: {title} {area(is_it, scores):.3f}",
        )
    if more := len(labels) - len(drawn):
        axes.plot([], [], color="none", label=f"{more} rarer labels are not drawn")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
