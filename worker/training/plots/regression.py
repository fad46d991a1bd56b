"""The plots of a regression: what was predicted, and by how much it was wrong."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from worker.training.evaluation import Evaluation
from worker.training.plots.card import ACCENT, MUTED, label, shortened

_MOST_POINTS = 400
"""A point takes about 130 bytes. Of more rows, those at even steps of the target are drawn."""
_LONGEST_NAME = 24


def prediction_error(axes: Axes, evaluation: Evaluation) -> None:
    rows = _rows(evaluation)
    _points(axes, evaluation, evaluation.predicted[rows], evaluation.actual[rows])
    both = np.concatenate([evaluation.actual[rows], evaluation.predicted[rows]])
    ends = [both.min(), both.max()]
    axes.plot(ends, ends, color=MUTED, linestyle="--", label="no error")
    axes.legend(loc="upper left")
    label(axes, "Predicted", f"Actual {shortened(evaluation.schema.target, _LONGEST_NAME)}")


def residuals(axes: Axes, evaluation: Evaluation) -> None:
    rows = _rows(evaluation)
    errors = evaluation.actual - evaluation.predicted
    _points(axes, evaluation, evaluation.predicted[rows], errors[rows])
    axes.axhline(0, color=MUTED, linestyle="--", label="no error")
    spread = float(np.sqrt(np.mean(errors**2)))
    for side in (-spread, spread):
        named = f"RMSE {spread:.4g}, all folds together" if side > 0 else None
        axes.axhline(side, color=MUTED, linestyle=":", label=named)
    # Room for what the lines are.
    lowest, highest = axes.get_ylim()
    axes.set_ylim(lowest, highest + 0.3 * (highest - lowest))
    axes.legend(loc="upper left")
    label(axes, "Predicted", "Actual − predicted")


def _rows(evaluation: Evaluation) -> NDArray[np.intp]:
    order = np.argsort(evaluation.actual, kind="stable")
    chosen = np.linspace(0, len(order) - 1, min(len(order), _MOST_POINTS)).astype(int)
    rows: NDArray[np.intp] = order[chosen]
    return rows


def _points(
    axes: Axes, evaluation: Evaluation, x: NDArray[np.float64], y: NDArray[np.float64]
) -> None:
    count = len(evaluation.actual)
    axes.plot(
        *(x, y),
        linestyle="none",
        marker="o",
        markersize=4,
        markeredgewidth=0,
        color=ACCENT,
        alpha=0.45,
        label=f"{len(x)} of {count:,} rows" if len(x) < count else f"each of {count} rows",
    )
