"""The plots of a classifier of two labels, by the probability of the positive one."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from sklearn.calibration import CalibrationDisplay
from sklearn.metrics import (
    PrecisionRecallDisplay,
    RocCurveDisplay,
    average_precision_score,
    roc_auc_score,
)

from worker.training.evaluation import Evaluation
from worker.training.plots.card import ACCENT, FOLD_POINTS, MUTED, label, shortened
from worker.training.plots.curves import precision_recall_points, roc_points

_BINS = 10
_LONGEST_NAME = 24


def _scores(evaluation: Evaluation) -> NDArray[np.float64]:
    return evaluation.probabilities[:, 1]


def roc(axes: Axes, evaluation: Evaluation) -> None:
    labels, scores = evaluation.actual, _scores(evaluation)
    for fold in np.unique(evaluation.folds):
        rows = evaluation.folds == fold
        axes.plot(
            *roc_points(labels[rows], scores[rows], FOLD_POINTS),
            color=MUTED,
            linewidth=0.7,
            alpha=0.5,
            label="each fold" if fold == evaluation.folds.min() else None,
        )
    false_rate, true_rate = roc_points(labels, scores)
    RocCurveDisplay(fpr=false_rate, tpr=true_rate).plot(
        ax=axes,
        curve_kwargs={
            "color": ACCENT,
            "linewidth": 2,
            "label": f"all folds together: AUC {roc_auc_score(labels, scores):.3f}",
        },
        plot_chance_level=True,
        chance_level_kw={"color": MUTED, "linestyle": ":", "label": "by chance: AUC 0.5"},
    )
    label(axes, "False positive rate", "True positive rate")


def precision_recall(axes: Axes, evaluation: Evaluation) -> None:
    labels, scores = evaluation.actual, _scores(evaluation)
    recall, precision = precision_recall_points(labels, scores)
    share = labels.mean()
    PrecisionRecallDisplay(precision, recall, prevalence_pos_label=share).plot(
        ax=axes,
        color=ACCENT,
        linewidth=2,
        label=f"average precision {average_precision_score(labels, scores):.3f}",
        plot_chance_level=True,
        chance_level_kw={"color": MUTED, "linestyle": ":", "label": f"by chance: {share:.3f}"},
    )
    label(axes, "Recall", "Precision")


def calibration(axes: Axes, evaluation: Evaluation) -> None:
    CalibrationDisplay.from_predictions(
        evaluation.actual,
        # Those that do not quite add up to 1 may be a little above.
        _scores(evaluation).clip(0, 1),
        n_bins=_BINS,
        # The same number of rows in each bin: most bins of even width would be nearly empty.
        strategy="quantile",
        ax=axes,
        color=ACCENT,
        linewidth=2,
        marker="o",
        markersize=5,
        name="each point a tenth of the rows",
    )
    perfect = axes.lines[0]
    perfect.set(color=MUTED, label="perfectly calibrated")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.legend(loc="upper left")
    positive = shortened(evaluation.labels[1], _LONGEST_NAME)
    label(axes, "Mean predicted probability", f"Share with label {positive}")
